//! HTTP in front of a hostile caller and a hostile server: what one side reads and the guard does not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use attest_tests::world::World;

use super::of_type;

/// A process that ends with the test, and the first URL that it wrote.
struct Process(Child, String);

impl Process {
    fn start(mut command: Command, is_guard: bool) -> Self {
        let command = if is_guard { command.stderr(Stdio::piped()) } else { command.stdout(Stdio::piped()) };
        let mut child = command.spawn().unwrap();
        let text: Box<dyn std::io::Read + Send> =
            if is_guard { Box::new(child.stderr.take().unwrap()) } else { Box::new(child.stdout.take().unwrap()) };
        let mut text = BufReader::new(text);
        let line = text.by_ref().lines().map(Result::unwrap).find(|line| line.contains("http://")).unwrap();
        let url = line[line.find("http://").unwrap()..].trim().to_owned();
        // What it writes later would block it, or end it.
        std::thread::spawn(move || std::io::copy(&mut text, &mut std::io::sink()));
        Self(child, url)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A guard in front of the hostile server.
fn hostile(world: &World) -> (Process, Process) {
    world.write("hostile.py", include_str!("hostile_http.py"));
    let mut server = Command::new("python3");
    server.args(["-SE", &world.text_path("hostile.py"), &world.text_path("runs")]);
    let server = Process::start(world.place(server), false);
    let guard = world.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", "--upstream", &server.1]);
    (server, Process::start(guard, true))
}

/// Status, head and body of the answer, read to the connection's end.
fn ask(url: &str, method: &str, trick: &str, kind: &str, body: &str) -> (u16, String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Trick: {trick}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

const PING: &str = r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#;

#[test]
fn a_charset_has_no_server_read_another_message_than_the_guard() {
    let world = World::new();
    let (_server, guard) = hostile(&world);
    let q = "+ACI-";
    let hidden = format!(r#"{q}}},{q}method{q}:{q}tools/call{q},{q}params{q}:{{{q}name{q}:{q}echo{q},{q}x{q}:{q}"#);
    let body = format!(r#"{{"jsonrpc":"2.0","id":3,"method":"ping","params":{{"x":"{hidden}"}}}}"#);
    for kind in
        ["application/json; charset=utf-7", "application/json;charset=\"UTF-7\"", "application/json , x;charset=utf-7"]
    {
        let (_, _, answer) = ask(&guard.1, "POST", "", kind, &body);
        assert!(answer.contains("malformed") && !answer.contains("FIRST"), "{kind}: {answer}");
    }
    let twice = "application/json\r\nContent-Type: application/json; charset=utf-7";
    assert!(ask(&guard.1, "POST", "", twice, &body).2.contains("error"));
    assert!(world.runs().is_empty());
}

#[test]
fn a_server_tells_nobody_an_answer_that_the_guard_did_not_take_for_one() {
    let world = World::new();
    let (_server, guard) = hostile(&world);
    for trick in ["another's", "as text", "named", "second", "charset", "nearly events", "two types", "separator"] {
        let (_, head, body) = ask(&guard.1, "POST", trick, "application/json", PING);
        assert!(body.contains("FIRST"), "{trick}: {body}");
        assert!(!body.contains("event:") && !body.contains('\u{2028}'), "{trick}: {body}");
        assert!(!body.replace("\\\"", "").contains(r#""said": "EVIL""#), "{trick}: {body}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{trick}: {head}");
    }
    for trick in ["batch", "marked batch", "another's, whole", "elsewhere"] {
        let (_, head, body) = ask(&guard.1, "POST", trick, "application/json", PING);
        assert!(!body.contains("EVIL") && !head.contains("location:"), "{trick}: {head} {body}");
    }
    for trick in ["text on GET", "events on GET", "lenient on GET", "array on GET"] {
        let (_, _, body) = ask(&guard.1, "GET", trick, "application/json", "");
        assert!(!body.contains("EVIL"), "{trick}: {body}");
    }
    assert_eq!(of_type(&world, "guard.db", "start").len(), 1);
}
