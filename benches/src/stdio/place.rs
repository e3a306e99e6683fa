//! A folder with an agent and a guard, made by `attest init`, and the commands to run a server in each arrangement.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use attest_core::signing::{Credentials, Form};
use attest_keys::SecretKey;

use super::conversation::line;
use crate::Outcome;
use crate::calls::numbered;
use crate::parties::{AUDIENCE, sign};

/// An audience whose server gives no receipts, and of which none are asked.
const NO_GUARD: &str = "urn:example:no-guard";

/// How the server is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// The server alone.
    Direct,
    /// Behind the relay with nothing in it: what any process in between costs.
    Relay,
    /// Behind `attest wrap`; the calls reach the server signed.
    Wrap,
    /// Behind `attest wrap` with a trail: every message written down, judged, and kept redacted.
    Trail,
    /// Behind `attest audit`: the trail alone.
    Audit,
    /// Behind `attest guard`; the calls come signed.
    Guard,
    /// Behind `attest wrap` and `attest guard`, as `attest init` sets it up.
    Both,
}

impl Arrangement {
    /// All of them, the plain server first.
    pub const ALL: [Self; 7] =
        [Self::Direct, Self::Relay, Self::Wrap, Self::Trail, Self::Audit, Self::Guard, Self::Both];

    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "bare relay",
            Self::Wrap => "wrap",
            Self::Trail => "wrap with trail",
            Self::Audit => "audit",
            Self::Guard => "guard",
            Self::Both => "wrap + guard",
        }
    }
}

/// The folder. Dropping it ends its signer.
pub struct Place {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

impl Place {
    /// Makes keys, configurations and a delegation in a new folder below `parent`; `programs` holds the built binaries.
    pub fn new(parent: &Path, programs: &Path) -> Outcome<Self> {
        let it = Self { folder: tempfile::tempdir_in(parent)?, programs: programs.to_owned() };
        let prompt = it.path("prompt.txt");
        fs::write(&prompt, "You sort issues.\n")?;
        let mut init = it.attest("init");
        init.arg("--dir").arg(it.folder.path()).arg("--prompt").arg(prompt);
        init.args(["--agent", "triage", "--audience", AUDIENCE, "--model", "acme/large@1", "--"]);
        run(init.arg(it.program("echo-server")))?;
        // Each guard holds its log's lock, so the second one needs a log of its own.
        let guard = fs::read_to_string(it.path("guard.toml"))?;
        fs::write(it.path("guard-both.toml"), guard.replace("\"guard.db\"", "\"guard-both.db\""))?;
        let agent = fs::read_to_string(it.path("agent.toml"))?;
        let trail = agent.replace("\"signer.db\"", "\"trail.db\"") + "\n[trail]\n";
        fs::write(it.path("agent-trail.toml"), trail)?;
        Ok(it)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command that runs the echo server in this arrangement.
    pub fn command(&self, arrangement: Arrangement) -> Command {
        let server = self.program("echo-server");
        let mut command = match arrangement {
            Arrangement::Direct => return Command::new(server),
            Arrangement::Relay => Command::new(self.program("mcp-relay-bare")),
            Arrangement::Wrap => self.wrap("agent.toml", NO_GUARD),
            Arrangement::Trail => self.wrap("agent-trail.toml", NO_GUARD),
            Arrangement::Audit => {
                let mut audit = self.attest("audit");
                audit.arg("--folder").arg(self.path("audit")).arg("--");
                audit
            }
            Arrangement::Guard => self.guard("guard.toml"),
            Arrangement::Both => {
                let (mut wrap, guard) = (self.wrap("agent.toml", AUDIENCE), self.guard("guard-both.toml"));
                wrap.arg(guard.get_program()).args(guard.get_args());
                wrap
            }
        };
        command.arg(server);
        command
    }

    fn wrap(&self, config: &str, audience: &str) -> Command {
        let mut wrap = self.wrap_command(config, audience);
        wrap.arg("--");
        wrap
    }

    /// `attest wrap` of this agent, without a server yet.
    pub(crate) fn wrap_command(&self, config: &str, audience: &str) -> Command {
        let mut wrap = self.attest("wrap");
        wrap.arg("--config").arg(self.path(config));
        wrap.args(["--audience", audience]);
        wrap
    }

    /// One of the built programs.
    pub(crate) fn program_command(&self, name: &str) -> Command {
        Command::new(self.program(name))
    }

    fn guard(&self, config: &str) -> Command {
        let mut guard = self.attest("guard");
        guard.arg("--config").arg(self.path(config)).arg("--");
        guard
    }

    /// `attest` with this verb; all that it starts stays in the folder.
    pub(crate) fn attest(&self, verb: &str) -> Command {
        let mut command = Command::new(self.program("attest"));
        // The signer's socket goes here, and not to where the user's own signers are.
        command.arg(verb).env("XDG_RUNTIME_DIR", self.folder.path());
        command
    }

    fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Place {
    /// Ends the agent's signer, if one runs.
    pub fn stop_signer(&self) {
        for config in ["agent.toml", "agent-trail.toml"] {
            let mut stop = self.attest("signer");
            let _ = stop.arg("stop").arg("--config").arg(self.path(config)).output();
        }
    }

    /// The path by which a running signer knows its configuration.
    pub fn agent_config(&self) -> PathBuf {
        self.path("agent.toml")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop_signer();
    }
}

fn run(command: &mut Command) -> Outcome<String> {
    let done = command.output()?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        return Err(format!("{}: {said}", command.get_program().display()).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// Signs calls ahead of time, for a guard without a wrap in front of it.
pub struct Signing {
    key: SecretKey,
    credentials: Credentials,
    issued: Instant,
}

/// Attestations are good for five minutes; a round takes far less than what is left after this.
const RENEW: Duration = Duration::from_secs(120);

impl Signing {
    /// With the agent's own key and an attestation of now.
    pub fn new(place: &Place) -> Outcome<Self> {
        let chain = fs::read_to_string(place.path("delegation.chain"))?;
        let chain: Vec<&str> = chain.split_whitespace().collect();
        let token = run(place.attest("issue").arg("--config").arg(place.path("agent.toml")))?;
        Ok(Self {
            key: SecretKey::read(&place.path("keys/agent.key"))?,
            credentials: Credentials::new(token.trim(), &chain).ok_or("an empty chain")?,
            issued: Instant::now(),
        })
    }

    /// Lines for calls with these ids, signed now: good for a minute.
    pub fn lines(&mut self, place: &Place, ids: impl Iterator<Item = u64>) -> Outcome<Vec<(u64, Vec<u8>)>> {
        self.renew(place)?;
        ids.map(|id| Ok((id, line(&self.call(id, Form::Full)?)))).collect()
    }

    /// Calls signed now, in either form: as many as there are ids.
    pub fn calls(&mut self, place: &Place, ids: impl Iterator<Item = u64>, form: Form) -> Outcome<Vec<Vec<u8>>> {
        self.renew(place)?;
        ids.map(|id| self.call(id, form)).collect()
    }

    fn renew(&mut self, place: &Place) -> Outcome<()> {
        if self.issued.elapsed() > RENEW {
            *self = Self::new(place)?;
        }
        Ok(())
    }

    fn call(&self, id: u64, form: Form) -> Outcome<Vec<u8>> {
        sign(numbered(id).as_bytes(), &self.credentials, AUDIENCE, &self.key, form)
    }
}

/// Lines for calls with these ids, not signed.
pub fn plain(ids: impl Iterator<Item = u64>) -> Vec<(u64, Vec<u8>)> {
    ids.map(|id| (id, line(numbered(id).as_bytes()))).collect()
}
