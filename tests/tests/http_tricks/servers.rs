//! The three servers, each on a port of its own, each writing down what its tool is given.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread;

use attest_tests::world::tests_folder;
use serde_json::Value;
use tempfile::TempDir;

/// Their names, in the order of the record.
pub const NAMES: [&str; 3] = ["typescript", "python", "rmcp"];

/// A process that ends with this.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null());
        Self(command.spawn().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}")))
    }

    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    pub fn stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().unwrap()
    }
}

/// The first URL in what a process says; the rest is read and thrown away, so that it never waits for us.
pub fn url_in(said: impl Read + Send + 'static) -> String {
    let mut lines = BufReader::new(said).lines();
    let mut heard = String::new();
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("it ended before it listened: {heard}")).unwrap();
        if let Some(at) = line.find("http://") {
            thread::spawn(move || lines.for_each(drop));
            return line[at..].split_whitespace().next().unwrap().to_owned();
        }
        heard = format!("{heard}\n{line}");
    }
}

/// A running server.
pub struct Server {
    _process: Process,
    folder: TempDir,
    /// Where it listens, with `/mcp`.
    pub url: String,
}

fn env(file: &str) -> PathBuf {
    let path = tests_folder().join("../.test-env").join(file);
    assert!(path.exists(), "{} is missing; run scripts/setup-test-env", path.display());
    path
}

fn command(name: &str) -> Command {
    let tricks = tests_folder().join("real/tricks");
    match name {
        "typescript" => {
            let mut command = Command::new(env("bin/node"));
            command.arg(tricks.join("server.mjs")).arg(env("node").canonicalize().unwrap());
            command
        }
        "python" => {
            let mut command = Command::new(env("python/bin/python"));
            command.arg(tricks.join("server.py"));
            command
        }
        _ => Command::new(attest_tests::binaries::count_server()),
    }
}

impl Server {
    pub fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(name);
        command.arg("--runs").arg(folder.path().join("runs")).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut process = Process::start(command);
        let url = url_in(process.stdout());
        Self { _process: process, folder, url }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        host(&self.url)
    }

    /// What its tool was given so far, in order.
    pub fn runs(&self) -> Vec<String> {
        read(&self.folder.path().join("runs"))
    }
}

/// The host and port of a URL.
pub fn host(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().split('/').next().unwrap()
}

fn read(runs: &Path) -> Vec<String> {
    let text = fs::read_to_string(runs).unwrap_or_default();
    let who = |line: &str| serde_json::from_str::<Value>(line).unwrap().as_str().unwrap().to_owned();
    text.lines().map(who).collect()
}
