//! The signer under a user id of its own: the agent's user has calls signed, and gets neither the key nor a look at the signer's
//! memory. Needs root, to be three users.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use attest_tests::binaries::attest;
use attest_tests::client::{Client, eventually, reason, text};
use attest_tests::world::{must, must_fail, output, tests_folder};
use serde_json::json;
use tempfile::TempDir;

/// Runs the signer.
const SIGNER: u32 = 61_001;
/// Runs the agent.
const AGENT: u32 = 61_002;
/// Has no business here.
const STRANGER: u32 = 61_003;

/// Whether this process may become other users. Where that must be so (in CI) it is an error if not.
fn may_change_users() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none(), "CI has to run this test as root");
        println!("SKIPPED: needs root");
    }
    is_root
}

/// A folder that all users can enter, with a folder for each of two users in it.
struct Scratch {
    folder: TempDir,
    signer: Option<Child>,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("attest-users-").tempdir().unwrap();
        let scratch = Self { folder, signer: None };
        fs::set_permissions(scratch.path(""), Permissions::from_mode(0o755)).unwrap();
        // The checkout may lie where only root can go.
        fs::copy(attest(), scratch.path("attest")).unwrap();
        fs::copy(tests_folder().join("real/python/tool_server.py"), scratch.path("server.py")).unwrap();
        fs::set_permissions(scratch.path("server.py"), Permissions::from_mode(0o644)).unwrap();
        for (name, user) in [("signer", SIGNER), ("agent", AGENT)] {
            fs::create_dir(scratch.path(name)).unwrap();
            chown(scratch.path(name), Some(user), Some(user)).unwrap();
        }
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program, run as `user` in that user's folder.
    fn run_as(&self, user: u32, program: impl AsRef<Path>, args: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(args).uid(user).gid(user);
        command.env_remove("XDG_RUNTIME_DIR").env_remove("ATTEST_LOG").env("HOME", "/nonexistent");
        command.current_dir(self.path(if user == SIGNER { "signer" } else { "agent" }));
        command
    }

    fn attest_as(&self, user: u32, args: &[&str]) -> Command {
        self.run_as(user, self.path("attest"), args)
    }

    /// Sets the agent up as the signer's user, moves the guard's configuration to the agent's side, starts the signer.
    fn set_up(&mut self) {
        fs::write(self.path("signer/prompt.txt"), "You are careful.").unwrap();
        let tools = ["--tool", "echo", "--tool", "show"];
        let mut init = self.attest_as(SIGNER, &["init", "--audience", "tools", "--prompt", "prompt.txt"]);
        init.args(tools).args(["--", "true"]);
        must(init);
        let config = fs::read_to_string(self.path("signer/agent.toml")).unwrap();
        let config = format!("socket = \"agent.sock\"\nallow_users = [{AGENT}]\n{config}");
        fs::write(self.path("signer/agent.toml"), config).unwrap();
        fs::rename(self.path("signer/guard.toml"), self.path("agent/guard.toml")).unwrap();
        fs::create_dir(self.path("agent/keys")).unwrap();
        fs::rename(self.path("signer/keys/guard-log.key"), self.path("agent/keys/guard-log.key")).unwrap();
        for moved in ["agent/guard.toml", "agent/keys", "agent/keys/guard-log.key"] {
            chown(self.path(moved), Some(AGENT), Some(AGENT)).unwrap();
        }

        let mut signer = self.attest_as(SIGNER, &["signer", "run"]);
        let mut signer = signer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut word = String::new();
        let said = signer.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut word).unwrap();
        self.signer = Some(signer);
        assert_eq!(word.trim(), "attest signer ready", "{}", self.end_signer());
    }

    fn signer(&self) -> u32 {
        self.signer.as_ref().unwrap().id()
    }

    /// Ends the signer, and tells what it said.
    fn end_signer(&mut self) -> String {
        let mut signer = self.signer.take().unwrap();
        let _ = signer.kill();
        let mut said = String::new();
        signer.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        signer.wait().unwrap();
        said
    }

    fn wrap_as(&self, user: u32) -> Command {
        let socket = self.path("signer/agent.sock");
        let mut wrap = self.attest_as(user, &["wrap", "--socket"]);
        wrap.arg(socket).args(["--audience", "tools", "--"]);
        wrap.arg(self.path("attest")).args(["guard", "--config", "guard.toml", "--", "python3", "-SE"]);
        wrap.arg(self.path("server.py")).args(["--runs", "runs"]);
        wrap
    }

    /// Tries to open a file for reading as `user`.
    fn open_as(&self, user: u32, file: &str) -> Output {
        output(self.run_as(user, "/bin/sh", &["-c", "exec 3<\"$1\"", "sh", file]))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.signer.is_some() {
            self.end_signer();
        }
    }
}

#[test]
fn the_agents_user_has_calls_signed_under_the_signers_user_and_nobody_else_has() {
    if !may_change_users() {
        return;
    }
    let mut scratch = Scratch::new();
    scratch.set_up();
    let mut client = Client::start(scratch.wrap_as(AGENT));
    let shown = client.call("show", json!({"a": 1}));
    assert_eq!(reason(&shown), "", "{}", client.said());
    assert!(text(&shown).contains("show"));
    client.end();
    let runs = || fs::read_to_string(scratch.path("agent/runs")).unwrap().lines().count();
    assert_eq!(runs(), 1);

    // The stranger reaches the socket, and is turned away there.
    let said = must_fail(scratch.wrap_as(STRANGER));
    assert!(said.contains("the signer does not answer"), "{said}");
    assert_eq!(runs(), 1);
    // Nor can the agent's user end the signer of another user: the frame is length 5, kind 6, number 0.
    let knock = "import socket,sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(bytes([0,0,0,5,6,0,0,0,0]))";
    must(scratch.run_as(AGENT, "/usr/bin/env", &["python3", "-c", knock, "../signer/agent.sock"]));
    let mut client = Client::start(scratch.wrap_as(AGENT));
    assert_eq!(reason(&client.call("echo", json!({}))), "");
    client.end();
    assert!(scratch.signer.as_mut().unwrap().try_wait().unwrap().is_none());
    let said = scratch.end_signer();
    assert!(said.contains(&format!("user {STRANGER} knocked and was turned away")), "{said}");
}

#[test]
fn the_agents_user_can_read_neither_the_key_nor_the_signers_memory() {
    if !may_change_users() {
        return;
    }
    let mut scratch = Scratch::new();
    scratch.set_up();
    let signer = scratch.signer();
    // The folder can be entered, so that it is the files' own modes that count.
    fs::set_permissions(scratch.path("signer"), Permissions::from_mode(0o755)).unwrap();
    assert!(scratch.open_as(AGENT, "../signer/agent.toml").status.success());
    let mut secret = vec!["../signer/keys/agent.key".to_owned(), "../signer/keys/attester.key".to_owned()];
    secret.push("../signer/signer.db".to_owned());
    secret.extend(["mem", "environ", "maps", "fd/0", "auxv"].map(|name| format!("/proc/{signer}/{name}")));
    for file in &secret {
        let opened = scratch.open_as(AGENT, file);
        let said = String::from_utf8_lossy(&opened.stderr);
        assert!(!opened.status.success() && said.contains("Permission denied"), "{file}: {said}");
    }
}

#[test]
fn not_even_another_process_of_the_signers_own_user_can_read_its_memory() {
    if !may_change_users() {
        return;
    }
    let mut scratch = Scratch::new();
    scratch.set_up();
    let mut sleep = scratch.run_as(SIGNER, "/bin/sleep", &["600"]).spawn().unwrap();
    // Any other process of that user can be looked into, so the test could fail.
    let environ = format!("/proc/{}/environ", sleep.id());
    eventually("the other process", || scratch.open_as(SIGNER, &environ).status.success().then_some(()));
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    for name in ["mem", "environ", "maps"] {
        let opened = scratch.open_as(SIGNER, &format!("/proc/{}/{name}", scratch.signer()));
        assert!(!opened.status.success(), "{name}");
    }
}

#[test]
fn which_call_is_open_a_guard_tells_its_own_user_and_those_that_it_names() {
    if !may_change_users() {
        return;
    }
    let mut scratch = Scratch::new();
    scratch.set_up();
    let config = fs::read_to_string(scratch.path("agent/guard.toml")).unwrap();
    let table = format!("\n[open_calls]\nsocket = \"calls\"\nallow_users = [{SIGNER}]\n");
    fs::write(scratch.path("agent/guard.toml"), config + &table).unwrap();
    // So that whoever is turned away is turned away by the guard, and not at the folder's door.
    fs::set_permissions(scratch.path("agent"), Permissions::from_mode(0o755)).unwrap();
    let mut client = Client::start(scratch.wrap_as(AGENT));
    assert_eq!(reason(&client.call("echo", json!({}))), "", "{}", client.said());
    let ask =
        "import socket,sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(99).decode())";
    let told = |user| {
        let said = must(scratch.run_as(user, "/usr/bin/env", &["python3", "-c", ask, "../agent/calls"])).stdout;
        String::from_utf8(said).unwrap().trim().to_owned()
    };
    assert_eq!(told(AGENT), r#"{"open":0}"#);
    assert_eq!(told(SIGNER), r#"{"open":0}"#);
    assert_eq!(told(STRANGER), "");
    client.end();
}
