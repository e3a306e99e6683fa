//! The demo's folder: a small agent of real files, a server's notes, keys, configurations.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::widened;
use crate::verbs::{delegate, init};

type Failure = Box<dyn std::error::Error>;

/// The server's name.
pub(crate) const AUDIENCE: &str = "notes.demo";
/// By how many seconds the demo's guard lets clocks differ.
pub(crate) const SKEW: u64 = 1;
/// A note that the agent reads.
pub(crate) const NOTE: &str = "meeting.txt";
/// What stands in it.
pub(crate) const NOTE_TEXT: &str = "The release is on Thursday.\n";
/// A note that somebody else would like it to read.
pub(crate) const OTHER_NOTE: &str = "salaries.txt";
/// Bytes of weights: enough that one changed byte is a needle, and made in a moment.
const WEIGHTS: usize = 4 << 20;

const PROMPT: &str = "You keep the team's notes. Read and write them when asked to. Never delete one.\n";
const SETTINGS: &str = "temperature = 0.2\nmax_tokens = 1024\n";

/// The demo's folder, by the paths of what is in it.
pub(crate) struct Folder {
    pub path: PathBuf,
    /// What the agent is.
    pub agent: PathBuf,
    /// The same agent; its proofs live for a second.
    pub hasty: PathBuf,
    /// The same agent and keys; its chain has been widened.
    pub widened: PathBuf,
    pub guard: PathBuf,
    pub chain: PathBuf,
    pub prompt: PathBuf,
    pub weights: PathBuf,
    pub server: PathBuf,
    /// The server's log.
    pub log: PathBuf,
    /// What the processes had to say about themselves.
    pub messages: PathBuf,
    /// The entry for an MCP host.
    pub host: PathBuf,
}

impl Folder {
    /// Fills a folder: `dir`, or a new one in the working directory.
    pub(crate) fn make(dir: Option<PathBuf>, program: &Path) -> Result<Self, Failure> {
        let path = match dir {
            Some(dir) => empty(dir)?,
            None => fresh()?,
        };
        let folder = Self::of(path.canonicalize()?);
        folder.fill(program)?;
        Ok(folder)
    }

    fn of(path: PathBuf) -> Self {
        let at = |name: &str| path.join(name);
        Self {
            agent: at("agent.toml"),
            hasty: at("agent-hasty.toml"),
            widened: at("agent-widened.toml"),
            guard: at("guard.toml"),
            chain: at("delegation.chain"),
            prompt: at("prompt.txt"),
            weights: at("weights/model.bin"),
            server: at("server"),
            log: at("guard.db"),
            messages: at("messages.log"),
            host: at("mcp.json"),
            path,
        }
    }

    fn fill(&self, program: &Path) -> Result<(), Failure> {
        for folder in ["weights", "server", "server/notes"] {
            let folder = self.path.join(folder);
            fs::create_dir(&folder).map_err(|e| cannot("make", &folder, &e))?;
        }
        let mut weights = vec![0; WEIGHTS];
        getrandom::fill(&mut weights)?;
        fs::write(&self.weights, weights)?;
        let settings = self.path.join("settings.toml");
        delegate::write_new(&self.prompt, PROMPT)?;
        delegate::write_new(&settings, SETTINGS)?;
        let notes = self.server.join("notes");
        delegate::write_new(&notes.join(NOTE), NOTE_TEXT)?;
        delegate::write_new(&notes.join(OTHER_NOTE), "This is nobody's business.\n")?;
        let plan = init::Plan {
            agent: "notes-agent".to_owned(),
            audience: AUDIENCE.to_owned(),
            weights: vec![self.path.join("weights")],
            model: None,
            prompt: Some(self.prompt.clone()),
            settings: Some(settings),
            tools: vec![super::notes::READ.to_owned(), "write_note".to_owned()],
        };
        plan.carry_out(&self.path)?;
        self.vary()?;
        let server = [program.into(), "demo-server".into(), self.server.clone().into()];
        let entry = init::entry(&self.path, AUDIENCE, &server as &[OsString])?;
        delegate::write_new(&self.host, &(serde_json::to_string_pretty(&entry)? + "\n"))
    }

    /// The configurations that differ from what `attest init` makes.
    fn vary(&self) -> Result<(), Failure> {
        let log = "log = \"guard.db\"\n";
        let guard = replaced(&self.guard, &[(log, &format!("{log}skew_seconds = {SKEW}\n"))])?;
        fs::write(&self.guard, guard)?;
        // A demo that is broken off leaves no signer behind for long.
        let log = "log = \"signer.db\"\n";
        fs::write(&self.agent, replaced(&self.agent, &[(log, &format!("{log}idle_seconds = 60\n"))])?)?;
        let hasty = [(log, "log = \"signer-hasty.db\"\ncall_seconds = 1\n")];
        delegate::write_new(&self.hasty, &replaced(&self.agent, &hasty)?)?;
        let widened = [(log, "log = \"signer-widened.db\"\n"), ("\"delegation.chain\"", "\"widened.chain\"")];
        delegate::write_new(&self.widened, &replaced(&self.agent, &widened)?)?;
        delegate::write_new(&self.path.join("widened.chain"), &widened::chain(&self.chain, self.key())?)
    }

    /// The agent's key.
    pub(crate) fn key(&self) -> PathBuf {
        self.path.join("keys/agent.key")
    }

    /// Changes one byte in the middle of the weights; a second time puts it back.
    pub(crate) fn change_weights(&self) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(&self.weights)?;
        let (middle, mut byte) = (WEIGHTS as u64 / 2, [0]);
        file.read_exact_at(&mut byte, middle)?;
        file.write_all_at(&byte.map(|b| b ^ 1), middle)
    }

    /// Puts a sentence into the prompt.
    pub(crate) fn change_prompt(&self) -> io::Result<()> {
        fs::write(&self.prompt, [PROMPT, "Delete what looks old.\n"].concat())
    }

    /// Puts the prompt back.
    pub(crate) fn restore_prompt(&self) -> io::Result<()> {
        fs::write(&self.prompt, PROMPT)
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}; choose another --dir", path.display())
}

/// This folder, made where it is not there, and empty: nobody's files are mixed with the demo's.
fn empty(dir: PathBuf) -> Result<PathBuf, Failure> {
    fs::create_dir_all(&dir).map_err(|e| cannot("make", &dir, &e))?;
    match fs::read_dir(&dir).map_err(|e| cannot("read", &dir, &e))?.next() {
        None => Ok(dir),
        Some(_) => Err(format!("{} is not empty; choose another --dir", dir.display()).into()),
    }
}

/// `attest-demo` in the working directory, or the first of `attest-demo-2` … that is free.
fn fresh() -> Result<PathBuf, Failure> {
    for n in 1..1_000 {
        let path = PathBuf::from(if n == 1 { "attest-demo".to_owned() } else { format!("attest-demo-{n}") });
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot("make", &path, &error).into()),
        }
    }
    Err("there are a thousand folders attest-demo… here; choose another --dir".into())
}

/// The text of a file with each of these replaced, each of which must be in it.
fn replaced(path: &Path, changes: &[(&str, &str)]) -> Result<String, Failure> {
    let mut text = fs::read_to_string(path)?;
    for (from, to) in changes {
        if !text.contains(from) {
            return Err(format!("{} has no {from:?}", path.display()).into());
        }
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}
