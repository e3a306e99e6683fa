//! An S3 server of a test's own: moto's, on this machine's loopback. What it was given it has again after it was killed and started.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code outside a #[test] function")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The bucket that each of them has.
pub const BUCKET: &str = "logs";
const KEYS: [&str; 2] = ["AKIATESTER", "what signs"];

/// A server. It is killed, and what it had is gone, when this is dropped.
pub struct Server {
    folder: TempDir,
    port: u16,
    /// Whether each request has to be signed.
    signed: bool,
    /// Certificate and key, where it speaks TLS.
    tls: Option<[PathBuf; 2]>,
    running: Option<Child>,
}

impl Server {
    /// One that takes what is signed with its key.
    pub fn start() -> Self {
        Self::new(true, None)
    }

    /// The same over TLS, with this certificate and key.
    pub fn with_tls(certificate: [PathBuf; 2]) -> Self {
        Self::new(true, Some(certificate))
    }

    /// One that takes anything.
    pub fn open() -> Self {
        Self::new(false, None)
    }

    fn new(signed: bool, tls: Option<[PathBuf; 2]>) -> Self {
        // Of its own, so that it is found again at the same address.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("attest-s3-").tempdir().unwrap();
        let mut server = Self { folder, port, signed, tls, running: None };
        server.up();
        server
    }

    /// Starts it, with all that it had.
    pub fn up(&mut self) {
        let mut command = Command::new(installed());
        command.arg(tests().join("real/python/s3_server.py")).args(["--port", &self.port.to_string(), "--journal"]);
        command.arg(self.folder.path().join("journal")).args(["--bucket", BUCKET]);
        if self.signed {
            command.arg("--keys").args(KEYS);
        }
        if let Some(tls) = &self.tls {
            command.arg("--tls").args(tls);
        }
        let piped = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        self.running = Some(child);
        let mut all = String::new();
        while !all.contains("Running on") {
            assert!(said.read_line(&mut all).unwrap() > 0, "the S3 server ended: {all}");
        }
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    }

    /// Ends it with `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What a program needs in its environment to reach it.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address())),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_DEFAULT_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", KEYS[0].into()),
            ("AWS_SECRET_ACCESS_KEY", KEYS[1].into()),
        ]
    }

    /// Head, in small letters, and body of the answer to a request that is not signed.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (String, Vec<u8>) {
        let (host, length) = (self.address(), body.len());
        let mut stream = TcpStream::connect(&host).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let (head, body) = answer.split_at(at);
        (String::from_utf8(head.to_vec()).unwrap().to_ascii_lowercase(), body.get(4..).unwrap().to_vec())
    }

    /// The names that begin so, by AWS's own library, as all that follows.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        String::from_utf8(self.boto(&["list", prefix], &[])).unwrap().lines().map(str::to_owned).collect()
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        self.boto(&["get", name], &[])
    }

    /// Puts a file there.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        self.boto(&["put", name], bytes);
    }

    /// Takes a file away.
    pub fn remove(&self, name: &str) {
        self.boto(&["remove", name], &[]);
    }

    fn boto(&self, words: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new(installed());
        command.arg(tests().join("real/python/s3_file.py")).arg(BUCKET).args(words).envs(self.environment());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{words:?}");
        done.stdout
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder `tests`, whichever crate's tests have this.
fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

fn installed() -> PathBuf {
    let python = tests().join("../.test-env/s3/bin/python");
    assert!(python.exists(), "{} is missing; run scripts/setup-test-env", python.display());
    python
}
