//! A key in a real ssh-agent.
#![cfg(feature = "ssh-agent")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use attest_core::sign::Sign as _;
use attest_keys::agent::AgentKey;
use attest_keys::{AgentError, Key, KeyError, KeySource};
use common::{folder, run, tool};

/// An ssh-agent of our own; it ends with the value.
struct Agent {
    child: Child,
    dir: tempfile::TempDir,
}

impl Agent {
    fn start() -> Option<Self> {
        let dir = folder();
        let mut command = tool("ssh-agent")?;
        let mut child =
            command.args(["-D", "-a"]).arg(dir.path().join("socket")).stdout(Stdio::piped()).spawn().unwrap();
        // It prints its socket once it listens.
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("SSH_AUTH_SOCK="), "{line}");
        Some(Self { child, dir })
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// Makes a key and adds it; its fingerprint comes back.
    fn add(&self, name: &str, kind: &str, comment: &str) -> String {
        let path = self.dir.path().join(name);
        run(tool("ssh-keygen").unwrap().args(["-q", "-t", kind, "-N", "", "-C", comment, "-f"]).arg(&path));
        run(tool("ssh-add").unwrap().env("SSH_AUTH_SOCK", self.socket()).arg("-q").arg(&path));
        let listed = run(tool("ssh-keygen").unwrap().args(["-l", "-f"]).arg(&path)).stdout;
        String::from_utf8(listed).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    fn find(&self, selector: &str) -> Result<AgentKey, AgentError> {
        AgentKey::find(&self.socket(), selector)
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Already ended in one test; there is nothing to do about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_key_in_an_agent_signs_and_is_found_by_fingerprint_and_by_comment() {
    let Some(agent) = Agent::start() else { return };
    let print = agent.add("id", "ed25519", "attest signer");
    agent.add("other", "ed25519", "somebody else");
    agent.add("rsa", "rsa", "old");
    assert!(print.starts_with("SHA256:"));
    let padded = format!("{print}=");
    for selector in [print.as_str(), padded.as_str(), "attest signer"] {
        let key = Key::from(agent.find(selector).unwrap());
        let message = b"eyJhbGciOiJFZDI1NTE5In0.eyJpc3MiOiJhIn0";
        let signature = key.sign(message).unwrap();
        assert!(key.public().verifies(message, &signature));
    }
    assert_eq!(agent.find(&print).unwrap().public(), agent.find("attest signer").unwrap().public());
    assert_ne!(agent.find(&print).unwrap().public(), agent.find("somebody else").unwrap().public());
}

#[test]
fn a_key_that_is_not_the_only_one_meant_is_refused() {
    let Some(agent) = Agent::start() else { return };
    agent.add("a", "ed25519", "laptop");
    let print = agent.add("b", "ed25519", "laptop");
    let error = agent.find("laptop").unwrap_err();
    assert!(matches!(&error, AgentError::Ambiguous { count: 2, .. }), "{error}");
    assert!(agent.find(&print).is_ok());
    for absent in ["lap", "laptop ", "SHA256:", "SHA256:AAAA", &print[..20]] {
        assert!(matches!(agent.find(absent), Err(AgentError::NoSuchKey { .. })), "{absent}");
    }
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    let Some(agent) = Agent::start() else { return };
    for kind in ["rsa", "ecdsa"] {
        let print = agent.add(kind, kind, kind);
        assert!(matches!(agent.find(&print), Err(AgentError::NotEd25519 { .. })));
        assert!(matches!(agent.find(kind), Err(AgentError::NotEd25519 { .. })));
    }
}

#[test]
fn an_agent_that_died_or_lost_the_key_gives_a_clear_error() {
    let Some(mut agent) = Agent::start() else { return };
    let print = agent.add("id", "ed25519", "signer");
    let key = Key::from(agent.find(&print).unwrap());
    run(tool("ssh-add").unwrap().env("SSH_AUTH_SOCK", agent.socket()).args(["-q", "-D"]));
    assert!(matches!(key.sign(b"m"), Err(KeyError::Agent(AgentError::Refused))));
    agent.end();
    let error = key.sign(b"m").unwrap_err();
    assert!(matches!(error, KeyError::Agent(AgentError::Unreachable { .. })));
    assert!(error.to_string().contains("is it still running?"), "{error}");
}

/// Listens as an agent would and answers each connection with the next of `answers`.
fn impostor(dir: &Path, answers: Vec<Vec<u8>>) -> (PathBuf, std::thread::JoinHandle<()>) {
    let socket = dir.join("impostor");
    let listener = UnixListener::bind(&socket).unwrap();
    let thread = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut len = [0; 4];
            stream.read_exact(&mut len).unwrap();
            let mut request = vec![0; u32::from_be_bytes(len) as usize];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    (socket, thread)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn identities(key: &[u8; 32]) -> Vec<u8> {
    let blob = [string(b"ssh-ed25519"), string(key)].concat();
    string(&[vec![12, 0, 0, 0, 1], string(&blob), string(b"c")].concat())
}

#[test]
fn a_signature_that_does_not_verify_never_leaves() {
    let dir = folder();
    let key = common::rfc_key();
    let Ok(of_another_message) = key.sign(b"another");
    let blob = [string(b"ssh-ed25519"), string(&of_another_message)].concat();
    let answer = string(&[vec![14], string(&blob)].concat());
    let (socket, thread) = impostor(dir.path(), vec![identities(key.public().as_bytes()), answer]);
    let held = AgentKey::find(&socket, "c").unwrap();
    assert!(matches!(held.sign(b"message"), Err(AgentError::BadSignature)));
    thread.join().unwrap();
}

#[test]
fn an_agents_key_passes_enrolment_or_is_refused() {
    let dir = folder();
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    let (socket, thread) = impostor(dir.path(), vec![identities(&identity_point)]);
    assert!(matches!(AgentKey::find(&socket, "c"), Err(AgentError::Public(_))));
    thread.join().unwrap();
}

#[test]
fn an_answer_cut_short_is_an_error_and_not_a_key() {
    let dir = folder();
    let whole = identities(common::rfc_key().public().as_bytes());
    let (socket, thread) = impostor(dir.path(), vec![whole[..whole.len() - 1].to_vec(), vec![0, 0, 0, 1, 12]]);
    assert!(matches!(AgentKey::find(&socket, "c"), Err(AgentError::Unreachable { .. })));
    assert!(matches!(AgentKey::find(&socket, "c"), Err(AgentError::Protocol)));
    thread.join().unwrap();
}

#[test]
fn a_source_is_a_path_or_names_a_key_in_the_agent() {
    let agent = |text: &str| KeySource::Agent(text.to_owned());
    assert_eq!(KeySource::parse("keys/agent.pem").unwrap(), KeySource::File("keys/agent.pem".into()));
    assert_eq!(KeySource::parse("./ssh-agent:x").unwrap(), KeySource::File("./ssh-agent:x".into()));
    assert_eq!(KeySource::parse("ssh-agent:SHA256:abc").unwrap(), agent("SHA256:abc"));
    assert_eq!(KeySource::parse("ssh-agent:my laptop").unwrap(), agent("my laptop"));
    assert!(matches!(KeySource::parse("ssh-agent:"), Err(KeyError::Agent(AgentError::NoSelector))));
    for text in ["keys/agent.pem", "ssh-agent:SHA256:abc"] {
        assert_eq!(KeySource::parse(text).unwrap().to_string(), text);
    }
}
