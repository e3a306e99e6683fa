//! One agent, one server and all that lies between, made by the real `attest init` in a folder of its own.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong here is the end of a test, and must say where"
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::attest;
use crate::client::Client;
use crate::listening::Listening;

/// The audience of every world's guard.
pub const AUDIENCE: &str = "tools";
/// The tools of `tests/real/python/tool_server.py`.
pub const TOOLS: [&str; 8] = ["big", "chatty", "die", "echo", "fail", "farewell", "hold", "show"];
/// The agent's system prompt, in `prompt.txt`.
pub const PROMPT: &str = "You are careful.";

/// The folder `tests`.
pub fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with an agent, its guard and a server that counts its runs. The signer is ended when it goes.
pub struct World {
    folder: TempDir,
    /// What its programs have in their environment besides.
    environment: Vec<(&'static str, String)>,
}

impl World {
    /// An agent with a system prompt, granted every tool of the counting server.
    pub fn new() -> Self {
        Self::granting(&TOOLS)
    }

    /// As [`World::new`], granted these tools only.
    pub fn granting(tools: &[&str]) -> Self {
        Self::with(tools, &["--prompt", "prompt.txt"])
    }

    /// An agent measured by what `measure` says to `attest init`.
    pub fn with(tools: &[&str], measure: &[&str]) -> Self {
        let world = Self::empty();
        let server = world.server();
        world.init(tools, measure, &server);
        world
    }

    /// An agent with a system prompt, granted every tool that this server lists over stdio.
    pub fn before(server: &[OsString]) -> Self {
        let world = Self::empty();
        world.init(&[], &["--prompt", "prompt.txt"], server);
        world
    }

    fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("attest-test-").tempdir().unwrap();
        let world = Self { folder, environment: Vec::new() };
        fs::create_dir(world.path("run")).unwrap();
        world.write("prompt.txt", PROMPT);
        world.write("weights.bin", "some weights");
        world
    }

    fn init(&self, tools: &[&str], measure: &[&str], server: &[OsString]) {
        let mut init = self.attest(&["init", "--agent", "tester", "--audience", AUDIENCE]);
        init.args(measure);
        for tool in tools {
            init.args(["--tool", tool]);
        }
        init.arg("--").args(server);
        must(init);
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path in the folder, as text.
    pub fn text_path(&self, name: &str) -> String {
        self.path(name).to_str().expect("a temporary folder's path is UTF-8").to_owned()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Replaces `from`, which must be there, in a file.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let before = self.read(name);
        assert!(before.contains(from), "{name} has no {from:?}: {before}");
        self.write(name, before.replacen(from, to, 1));
    }

    /// Puts a line before everything else in a file: a setting of a TOML file's top level.
    pub fn set(&self, name: &str, line: &str) {
        self.write(name, format!("{line}\n{}", self.read(name)));
    }

    /// Puts something into the environment of all programs that are run from here on.
    pub fn environment(&mut self, more: impl IntoIterator<Item = (&'static str, String)>) {
        self.environment.extend(more);
    }

    /// For a wrap in front of a server without a guard, which gives no receipts.
    pub fn without_receipts(self) -> Self {
        self.set("agent.toml", "receipts = \"ignored\"");
        self
    }

    /// The binary `attest`, to be run in the folder.
    pub fn attest(&self, args: &[&str]) -> Command {
        let mut command = Command::new(attest());
        command.args(args);
        self.place(command)
    }

    /// A command that runs in the folder, and finds this world's signer and no other.
    pub fn place(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("ATTEST_AGENT_CONFIG")
            .env_remove("ATTEST_GUARD_CONFIG")
            .env_remove("ATTEST_LOG")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The command of the counting server, which counts in `runs`.
    pub fn server(&self) -> Vec<OsString> {
        counting_server(&self.path("runs"))
    }

    /// `attest wrap`, in front of `behind`.
    pub fn wrap(&self, audience: &str, behind: &[OsString]) -> Command {
        let mut command = self.attest(&["wrap", "--config", "agent.toml", "--audience", audience, "--"]);
        command.args(behind);
        command
    }

    /// `attest guard` in front of the counting server.
    pub fn guard(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![attest().into(), "guard".into(), "--config".into()];
        words.extend([self.path("guard.toml").into(), "--".into()]);
        words.extend(self.server());
        words
    }

    /// `attest guard` that listens, in front of what the last words say: `--upstream URL`, or `--` and a command.
    pub fn listening_guard(&self, behind: &[OsString]) -> Listening {
        let mut command = self.attest(&["guard", "--config", "guard.toml", "--listen", "127.0.0.1:0"]);
        command.args(behind);
        Listening::start(command)
    }

    /// `attest wrap` that listens, in front of the guard at `upstream`.
    pub fn listening_wrap(&self, upstream: &str) -> Listening {
        let wrap = ["wrap", "--config", "agent.toml", "--audience", AUDIENCE, "--listen", "127.0.0.1:0", "--upstream"];
        let mut command = self.attest(&wrap);
        command.arg(upstream);
        Listening::start(command)
    }

    /// A client of the counting server, behind wrap and guard.
    pub fn start(&self) -> Client {
        Client::start(self.wrap(AUDIENCE, &self.guard()))
    }

    /// A client of the counting server, behind the guard alone.
    pub fn start_guard(&self) -> Client {
        Client::start(self.command(&self.guard()))
    }

    /// A command of several words, to be run in the folder.
    pub fn command(&self, words: &[OsString]) -> Command {
        let (program, args) = words.split_first().expect("at least a program");
        let mut command = Command::new(program);
        command.args(args);
        self.place(command)
    }

    /// The entries of a log, oldest first; none where there is no log.
    pub fn log(&self, name: &str) -> Vec<Value> {
        if !self.path(name).exists() {
            return Vec::new();
        }
        let listed = must(self.attest(&["log", "list", name, "--json"]));
        let entry = |line: &str| serde_json::from_str::<Value>(line).unwrap()["entry"].take();
        String::from_utf8(listed.stdout).unwrap().lines().map(entry).collect()
    }

    /// The entries of a log that have these members.
    pub fn entries(&self, log: &str, members: &[(&str, &str)]) -> Vec<Value> {
        let mut all = self.log(log);
        all.retain(|entry| members.iter().all(|(name, value)| entry[*name] == *value));
        all
    }

    /// What the counting server ran, oldest first: `{"tool", "arguments"}`.
    pub fn runs(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("runs")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Who the signer is, if one runs.
    pub fn signer(&self) -> Option<Value> {
        let output = output(self.attest(&["signer", "status", "--json"]));
        serde_json::from_slice(&output.stdout).ok().filter(|v: &Value| !v.is_null())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A signer lives on for half an hour after its last wrap.
        let listens = |socket: PathBuf| std::os::unix::net::UnixStream::connect(socket).is_ok();
        let sockets = fs::read_dir(self.path("run/attest")).into_iter().flatten().flatten();
        if sockets.map(|entry| entry.path()).any(listens) {
            let stop = self.attest(&["signer", "stop"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
            let _ = stop;
        }
    }
}

/// The command of the counting server that counts in `runs`.
pub fn counting_server(runs: &Path) -> Vec<OsString> {
    let script = tests_folder().join("real/python/tool_server.py");
    vec!["python3".into(), "-SE".into(), script.into(), "--runs".into(), runs.into()]
}

/// Runs a command to its end, with nothing on its standard input.
pub fn output(mut command: Command) -> Output {
    command.stdin(Stdio::null());
    command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"))
}

/// Runs a command that has to succeed.
pub fn must(command: Command) -> Output {
    let shown = format!("{command:?}");
    let output = output(command);
    let said = || [&*output.stdout, &*output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    assert!(output.status.success(), "{shown} failed: {}", said());
    output
}

/// What a command that has to fail says on standard error.
pub fn must_fail(command: Command) -> String {
    let shown = format!("{command:?}");
    let output = output(command);
    assert!(!output.status.success(), "{shown} did not fail");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
