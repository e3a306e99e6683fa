//! `attest hosts` and `attest doctor` as a user runs them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Exit code, standard output and standard error.
    fn attest(&self, args: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
        command.args(args.split(' ')).current_dir(self.0.path()).env("HOME", self.0.path());
        for name in ["XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "MCP_CATALOG_PATH", "ATTEST_AGENT_CONFIG"] {
            command.env_remove(name);
        }
        // Sockets are short; the signer's folder is not what is tested.
        let output = command.env("XDG_RUNTIME_DIR", self.0.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// With an agent and a guard that fit.
    fn with_agent() -> Self {
        let home = Self::new();
        let (code, _, error) = home.attest("init --audience files --model openai/gpt-5 --tool read -- cat");
        assert_eq!(code, 0, "{error}");
        home
    }

    /// What the doctor calls wrong.
    fn wrong(&self, args: &str) -> Vec<String> {
        let (code, text, error) = self.attest(&format!("doctor {args}").trim_end().replace("  ", " "));
        let wrong: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("WRONG    ")).map(str::to_owned).collect();
        assert_eq!(code, i32::from(!wrong.is_empty()), "{text}{error}");
        wrong
    }

    fn edit(&self, name: &str, edit: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        let new = edit(text.clone());
        assert_ne!(new, text);
        std::fs::write(self.path(name), new).unwrap();
    }
}

const CURSOR: &str = "{\"mcpServers\": {\"files\": {\"command\": \"cat\", \"args\": [\"-u\"]}}}\n";

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_servers_way_from_bypassing_to_wrapped_and_back() {
    let home = Home::with_agent();
    let file = home.write(".cursor/mcp.json", CURSOR);
    let (code, text, _) = home.attest("hosts status");
    assert_eq!((code, text.contains("bypasses   stdio    files")), (1, true), "{text}");

    let (code, text, _) = home.attest("hosts install --config agent.toml --dry-run");
    assert_eq!((code, text.contains("\n+{\"mcpServers\"")), (0, true), "{text}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), CURSOR);

    assert_eq!(home.attest("hosts install --config agent.toml").0, 0);
    let text = std::fs::read_to_string(&file).unwrap();
    let agent = home.path("agent.toml").canonicalize().unwrap();
    let words =
        format!("\"wrap\", \"--config\", \"{}\", \"--audience\", \"files\", \"--\", \"cat\", \"-u\"", agent.display());
    assert!(text.contains(&words), "{text}");
    let (code, text, _) = home.attest("hosts status --json");
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &rows["servers"][0]["reach"]), (0, &"wrapped".into()));

    assert_eq!(home.attest("hosts remove").0, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), CURSOR);
    assert_eq!(std::fs::read_dir(home.path(".cursor")).unwrap().count(), 1);
}

#[test]
fn a_file_that_cannot_be_read_makes_status_fail_and_does_not_stop_the_others() {
    let home = Home::new();
    home.write(".cursor/mcp.json", "{\n  \"mcpServers\": {,}\n}");
    home.write(".vscode/mcp.json", "{\"servers\": {}}");
    let (code, text, _) = home.attest("hosts status");
    assert_eq!((code, text.contains("mcp.json: line 2, column 18")), (1, true), "{text}");
    home.write(".vscode/mcp.json", "{\"servers\": {\"s\": {\"command\": \"s\"}}}");
    let (code, text, error) = home.attest("hosts install");
    assert_eq!((code, text.contains("audited  s")), (1, true), "{text}{error}");
    assert!(error.contains("line 2, column 18"), "{error}");
}

#[test]
fn a_file_of_an_unknown_name_needs_its_host_named() {
    let home = Home::new();
    home.write("x.json", CURSOR);
    let (code, _, error) = home.attest("hosts status --file x.json");
    assert_eq!((code, error.contains("Say it with --host")), (1, true), "{error}");
    assert!(home.attest("hosts status --file x.json --host inspector").1.contains("files"));
    let (code, _, error) = home.attest("hosts list --host emacs");
    assert_eq!((code, error.contains("claude-desktop, claude-code, cursor, vs-code, inspector")), (2, true), "{error}");
    let (code, _, error) = home.attest("hosts install --file x.json --host inspector --only none");
    assert_eq!((code, error.contains("no server is called \"none\"")), (1, true), "{error}");
}

#[test]
fn a_healthy_installation_has_nothing_wrong() {
    let home = Home::with_agent();
    home.write(".cursor/mcp.json", CURSOR);
    home.attest("hosts install --config agent.toml");
    assert_eq!(home.wrong(""), Vec::<String>::new());
}

/// Each defect alone, and a word of what the doctor says about it.
#[test]
fn every_defect_is_found_and_named() {
    type Break = fn(&Home);
    let cases: [(&str, Break, &str); 17] = [
        ("a key is gone", |h| std::fs::remove_file(h.path("keys/agent.key")).unwrap(), "no key at"),
        ("a key is open", |h| mode(&h.path("keys/attester.key"), 0o644), "chmod 600"),
        (
            "a public key where a private one belongs",
            |h| {
                let public = std::fs::read_to_string(h.path("keys/agent.key.pub")).unwrap();
                std::fs::write(h.path("keys/agent.key"), public).unwrap();
            },
            "a public key where a private key is expected",
        ),
        (
            "what is measured is gone",
            |h| h.edit("agent.toml", |t| t.replace("[measure]", "[measure]\nharness = [\"gone\"]")),
            "/gone, which is not there",
        ),
        (
            "no delegation",
            |h| std::fs::remove_file(h.path("delegation.chain")).unwrap(),
            "`attest delegate` writes one",
        ),
        (
            "an expired delegation",
            |h| {
                std::fs::remove_file(h.path("delegation.chain")).unwrap();
                let (code, _, error) = h.attest(
                    "delegate --key keys/root.key --to keys/agent.key.pub --issuer self --tool files#read --life 1s --out delegation.chain",
                );
                assert_eq!(code, 0, "{error}");
                std::thread::sleep(std::time::Duration::from_millis(1_100));
            },
            "token 1 expired",
        ),
        ("half a delegation", |h| h.edit("delegation.chain", |t| t[..40].to_owned()), "token 1"),
        (
            "another key",
            |h| {
                h.attest("keygen keys/other.key");
                h.edit("agent.toml", |t| t.replace("keys/agent.key", "keys/other.key"));
            },
            "delegate to the agent's key",
        ),
        (
            "an attester that is not pinned",
            |h| {
                h.attest("keygen keys/other.key");
                h.edit("agent.toml", |t| t.replace("keys/attester.key", "keys/other.key"));
            },
            "does not pin the attester's key",
        ),
        (
            "another issuer",
            |h| h.edit("agent.toml", |t| t.replacen("issuer = \"", "issuer = \"x", 1)),
            "write one name",
        ),
        ("a log without its record", |h| drop(h.write("guard.db", "")), "attest log adopt"),
        (
            "a log open to others",
            |h| {
                mode(&h.write("guard.db", ""), 0o640);
                mode(&h.write("guard.db.head", ""), 0o600);
            },
            "is open to other users (mode 0640)",
        ),
        ("no folder for the log", |h| h.edit("guard.toml", |t| t.replacen("log = \"", "log = \"none/", 1)), "mkdir -p"),
        (
            "an upstream that is gone",
            |h| h.edit("agent.toml", |t| t + "\n[upstream.x]\nurl = \"http://127.0.0.1:1/mcp\"\n"),
            "x does not answer",
        ),
        (
            "a header from nowhere",
            |h| {
                h.edit("agent.toml", |t| {
                    t + "\n[upstream.x]\nurl = \"http://127.0.0.1:1/\"\nheaders.A = { file = \"none\" }\n"
                })
            },
            "the header A is to come from",
        ),
        ("a host that bypasses", |h| drop(h.write(".cursor/mcp.json", CURSOR)), "1 of 1 servers bypass attest (files)"),
        (
            "another version in a host",
            |h| {
                let program = h.write("bin/attest", "#!/bin/sh\necho attest 0.0.1\n");
                mode(&program, 0o755);
                let text = format!(
                    "{{\"mcpServers\": {{\"s\": {{\"command\": {program:?}, \"args\": [\"wrap\", \"--\", \"x\"]}}}}}}"
                );
                h.write(".cursor/mcp.json", &text);
            },
            "calls itself \"attest 0.0.1\"",
        ),
    ];
    for (name, damage, word) in cases {
        let home = Home::with_agent();
        damage(&home);
        let wrong = home.wrong("");
        assert!(wrong.iter().any(|line| line.contains(word)), "{name}: {wrong:#?}");
    }
}

#[test]
fn what_a_projects_file_names_is_not_run() {
    let home = Home::new();
    let marker = home.path("ran");
    let program = home.write("p/attest", &format!("#!/bin/sh\ntouch '{}'\n", marker.display()));
    mode(&program, 0o755);
    let text =
        format!("{{\"mcpServers\": {{\"s\": {{\"command\": {program:?}, \"args\": [\"wrap\", \"--\", \"x\"]}}}}}}");
    home.write(".mcp.json", &text);
    let (_, text, _) = home.attest("doctor");
    assert!(text.contains("it was not run, since the file is a project's"), "{text}");
    assert!(!marker.exists());
}

#[test]
fn a_clock_that_is_off_is_told_by_a_servers_date() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for date in ["Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n", ""] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\n{date}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}").unwrap();
        }
    });
    let home = Home::new();
    let wrong = home.wrong(&format!("--upstream {url}"));
    assert!(wrong.len() == 1 && wrong[0].contains("more than the 30 s that a guard allows"), "{wrong:?}");
    assert_eq!(home.wrong(&format!("--upstream {url}")), Vec::<String>::new());
    server.join().unwrap();
}

/// Answers each request in turn with a body, as an MCP server over HTTP.
fn answering(bodies: &'static [&'static str]) -> (String, std::thread::JoinHandle<()>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for body in bodies {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    });
    (url, server)
}

#[test]
fn a_guard_tells_whether_meta_arrives() {
    use std::io::BufRead as _;
    let home = Home::with_agent();
    let mut guard = Command::new(env!("CARGO_BIN_EXE_attest"))
        .args("guard --config guard.toml --listen 127.0.0.1:0 --upstream http://127.0.0.1:1/mcp".split(' '))
        .current_dir(home.0.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(guard.stderr.take().unwrap()).lines();
    let url = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned)).unwrap();
    let (_, text, error) = home.attest(&format!("doctor --probe --upstream {url}"));
    guard.kill().unwrap();
    guard.wait().unwrap();
    assert!(text.contains("a guard is there, and `_meta` arrives at it"), "{text}{error}");

    let (url, server) = answering(&[
        "{}",
        r#"{"error":{"code":-31401,"data":{"reason":"unauthenticated"},"message":"m"},"id":"attest-doctor","jsonrpc":"2.0"}"#,
    ]);
    let home = Home::new();
    let wrong = home.wrong(&format!("--probe --upstream {url}"));
    assert!(wrong.len() == 1 && wrong[0].contains("`_meta` is dropped on the way"), "{wrong:?}");
    server.join().unwrap();

    let (url, server) = answering(&["{}", r#"{"id":"attest-doctor","jsonrpc":"2.0","result":{"content":[]}}"#]);
    let (code, text, _) = home.attest(&format!("doctor --probe --upstream {url}"));
    assert_eq!((code, text.contains("no guard is there")), (0, true), "{text}");
    server.join().unwrap();
}

#[test]
fn a_socket_that_nobody_listens_at_is_named() {
    let home = Home::with_agent();
    home.edit("agent.toml", |text| format!("socket = \"s.sock\"\n{text}"));
    drop(std::os::unix::net::UnixListener::bind(home.path("s.sock")).unwrap());
    let (code, text, _) = home.attest("doctor");
    assert_eq!((code, text.contains("warning  signer      nobody listens at")), (0, true), "{text}");
}
