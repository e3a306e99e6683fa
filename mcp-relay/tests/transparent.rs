//! The relay cannot be told from the server itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{echo, python, relayed};

fn mcp_server() -> Command {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/mcp_server.py"));
    command
}

fn piped(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Standard output, standard error and exit code after `input` and the end of input.
fn outcome(command: Command, input: &'static [u8]) -> (Vec<u8>, Vec<u8>, Option<i32>) {
    let mut child = piped(command);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // A server that ended first makes this fail, directly and relayed alike.
        let _ = stdin.write_all(input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.stdout, output.stderr, output.status.code())
}

fn assert_same(server: &Command, input: &'static [u8]) {
    let mut direct = Command::new(server.get_program());
    direct.args(server.get_args());
    let direct = outcome(direct, input);
    assert!(!direct.0.is_empty() || !direct.1.is_empty(), "the server must show something");
    assert_eq!(outcome(relayed(server), input), direct);
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_conversation_of_2025_11_25_is_the_same_byte_for_byte() {
    assert_same(&mcp_server(), include_bytes!("transcripts/2025-11-25.jsonl"));
}

#[test]
fn a_conversation_of_2026_07_28_is_the_same_byte_for_byte() {
    assert_same(&mcp_server(), include_bytes!("transcripts/2026-07-28.jsonl"));
}

#[test]
fn what_is_no_message_from_the_server_passes_unchanged() {
    let server = python(
        r"import sys; sys.stdout.buffer.write(b'\xff\xfe{\x00\n[1,\n{}\r{}\r\n\n\xef\xbb\xbf{}\n\r\nlast without end')",
    );
    assert_same(&server, b"");
}

#[test]
fn the_exit_code_is_the_servers() {
    for code in [0, 1, 3, 255] {
        let server = python(&format!("import sys; print(1); sys.exit({code})"));
        assert_eq!(outcome(relayed(&server), b"").2, Some(code));
    }
}

#[test]
fn a_server_killed_by_signal_n_gives_128_and_n() {
    for number in [9, 11, 15] {
        let server = python(&format!("import os; os.kill(os.getpid(), {number})"));
        assert_eq!(outcome(relayed(&server), b"").2, Some(128 + number));
    }
}

#[test]
fn a_server_that_cannot_be_started_is_named_on_standard_error() {
    let (_, stderr, code) = outcome(relayed(&Command::new("/nonexistent/server")), b"");
    assert!(String::from_utf8(stderr).unwrap().contains("/nonexistent/server"));
    assert_eq!(code, Some(127));
}

#[test]
fn signals_reach_the_server_and_leave_the_relay_to_its_fate() {
    let server = python(
        "import signal, sys\n\
         def on(n, _):\n    print(n, flush=True)\n    if n == signal.SIGTERM: sys.exit(44)\n\
         for n in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM): signal.signal(n, on)\n\
         print('ready', flush=True)\n\
         while True: signal.pause()",
    );
    // Whoever runs the tests may have some of them ignored (`nohup`), and that is inherited.
    let plain = "import os, signal, sys\n\
         for s in ('INT', 'HUP', 'TERM', 'PIPE'): signal.signal(getattr(signal, 'SIG' + s), signal.SIG_DFL)\n\
         os.execv(sys.argv[1], sys.argv[1:])";
    let relay = relayed(&server);
    let mut command = python(plain);
    command.arg(relay.get_program()).args(relay.get_args());
    let mut relay = piped(command);
    let mut lines = BufReader::new(relay.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "ready");
    for (sent, number) in [(Signal::INT, "2"), (Signal::HUP, "1"), (Signal::TERM, "15")] {
        signal(&relay, sent);
        assert_eq!(lines.next().unwrap(), number);
    }
    assert_eq!(relay.wait().unwrap().code(), Some(44));
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored_for_the_server() {
    let print = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)";
    let mut command = Command::new("sh");
    let relay = relayed(&python(print));
    command.args(["-c", r#"trap "" HUP; exec "$@""#, "sh"]).arg(relay.get_program()).args(relay.get_args());
    assert_eq!(outcome(command, b"").0, b"True\n");
}

#[test]
fn the_interrupt_key_of_a_terminal_reaches_the_server_once() {
    // Counts SIGINT until SIGTERM, on the terminal itself so that it is seen past the relay.
    let server = "import signal, sys\n\
         got = []\n\
         def say(*words): print(*words, file=sys.stderr, flush=True)\n\
         def on(n, _): got.append(n); say('key')\n\
         def end(n, _): say('total', len(got)); sys.exit(0)\n\
         signal.signal(signal.SIGINT, on); signal.signal(signal.SIGTERM, end)\n\
         say('ready')\n\
         while True: signal.pause()";
    // The relay stands still until the server has had the key. What the relay then sends for it comes as a second SIGINT,
    // and before the SIGTERM.
    let terminal = "import os, pty, signal, sys\n\
         pid, master = pty.fork()\n\
         if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n\
         seen = b''\n\
         def until(word):\n    global seen\n    while word not in seen: seen += os.read(master, 1000)\n    seen = seen.split(word, 1)[1]\n\
         until(b'ready'); os.kill(pid, signal.SIGSTOP); os.waitpid(pid, os.WUNTRACED)\n\
         os.write(master, b'\\x03'); until(b'key')\n\
         os.kill(pid, signal.SIGTERM); os.kill(pid, signal.SIGCONT)\n\
         until(b'total '); print(os.read(master, 1).decode() if not seen else seen.decode()[0])\n\
         os.waitpid(pid, 0)";
    let relay = relayed(&python(server));
    let mut command = python(terminal);
    command.arg(relay.get_program()).args(relay.get_args());
    let (stdout, stderr, _) = outcome(command, b"");
    assert_eq!(String::from_utf8(stdout).unwrap(), "1\n", "{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn the_end_of_input_reaches_the_server_and_its_last_words_the_client() {
    let server = python("import sys; sys.stdin.read(); print('late'); sys.exit(7)");
    let (stdout, _, code) = outcome(relayed(&server), b"{}\n");
    assert_eq!((stdout.as_slice(), code), (b"late\n".as_slice(), Some(7)));
}

#[test]
fn a_server_that_exits_first_ends_the_relay_after_all_its_output() {
    let server = python("import sys; sys.stdout.write(('x' * 999 + '\\n') * 3000); sys.exit(6)");
    let mut relay = piped(relayed(&server));
    let _still_open = relay.stdin.take().unwrap();
    let mut output = Vec::new();
    relay.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert_eq!(output.len(), 3_000_000);
    assert_eq!(relay.wait().unwrap().code(), Some(6));
}

#[test]
fn what_a_server_leaves_behind_does_not_keep_the_relay_even_if_it_never_stops_writing() {
    let mut server = Command::new("sh");
    server.args(["-c", "echo said; (while echo more; do :; done) 2>/dev/null & exit 8"]);
    let mut relay = piped(relayed(&server));
    let _still_open = relay.stdin.take().unwrap();
    let mut output = String::new();
    relay.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert_eq!(relay.wait().unwrap().code(), Some(8));
    assert!(output.starts_with("said\n"), "{output}");
}

#[test]
fn a_server_that_closes_its_output_ends_the_relay() {
    let mut server = Command::new("sh");
    server.args(["-c", "echo said; exec >&-; cat >/dev/null; exit 9"]);
    let mut relay = piped(relayed(&server));
    let _still_open = relay.stdin.take().unwrap();
    assert_eq!(relay.wait().unwrap().code(), Some(9));
}

#[test]
fn a_killed_relay_leaves_no_server() {
    let mut relay = piped(relayed(&python("import sys; print('up', flush=True); sys.stdin.read()")));
    let _still_open = relay.stdin.take().unwrap();
    let mut stdout = BufReader::new(relay.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    signal(&relay, Signal::KILL);
    relay.wait().unwrap();
    // The server holds the other end of standard error. This returns when it has let go of it.
    assert_eq!(relay.stderr.take().unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn files_as_standard_input_and_output_serve_as_pipes_do() {
    let dir = tempfile::tempdir().unwrap();
    let input = include_bytes!("transcripts/2025-11-25.jsonl");
    let [given, got] = ["given", "got"].map(|name| dir.path().join(name));
    std::fs::write(&given, input).unwrap();
    let mut relay = relayed(&echo());
    relay.stdin(File::open(&given).unwrap()).stdout(File::create(&got).unwrap());
    assert!(relay.status().unwrap().success());
    assert_eq!(std::fs::read(&got).unwrap(), input);
}

#[test]
fn sockets_serve_as_pipes_do_and_keep_blocking_for_others() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let shared = theirs.try_clone().unwrap();
    let mut relay = relayed(&echo());
    let [input, output] = [theirs.try_clone().unwrap(), theirs].map(|end| Stdio::from(OwnedFd::from(end)));
    let mut child = relay.stdin(input).stdout(output).spawn().unwrap();
    drop(relay);
    ours.write_all(b"{\"a\":1}\n").unwrap();
    let mut line = String::new();
    BufReader::new(&ours).read_line(&mut line).unwrap();
    assert_eq!(line, "{\"a\":1}\n");
    let flags = rustix::fs::fcntl_getfl(&shared).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(child.wait().unwrap().success());
}
