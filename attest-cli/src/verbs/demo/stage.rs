//! Where the cases are played: starts the processes, looks into the server's log, judges what came out.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use agent_signer::Config;
use attest_core::json;
use attest_core::receipt::{self, Carried, Opened};
use attest_core::refusal::Reason;
use attest_log::Reader;
use serde_json::Value;

use super::client::{Answer, Client};
use super::folder::{AUDIENCE, Folder, NOTE_TEXT};
use super::show;

type Failure = Box<dyn std::error::Error>;

/// How often the agent's log is looked into for a receipt, 50 ms apart.
const PATIENCE: usize = 200;

/// How a case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The tool ran.
    Accepted,
    /// Refused, for the reason that the server's log names. `about` is where it applies; `told` is what the caller was
    /// told, which says less where nobody was authenticated.
    Refused { reason: String, about: Option<String>, told: String },
}

impl Verdict {
    /// Refused for `reason`, said to the caller as it may be said.
    pub(crate) fn refused(reason: Reason, about: Option<&str>) -> Self {
        let told = reason.on_the_wire().to_owned();
        Self::Refused { reason: reason.code().to_owned(), about: about.map(str::to_owned), told }
    }

    /// Refused before there was a call, by a tool of ours.
    pub(crate) fn refused_by_us(why: &str) -> Self {
        Self::Refused { reason: why.to_owned(), about: None, told: why.to_owned() }
    }
}

/// One case: what was done, what was to come of it, and what came.
pub(crate) struct Row {
    pub what: &'static str,
    pub expected: Verdict,
    /// The server's count, as it must be afterwards.
    pub expected_runs: u64,
    pub seen: Result<Verdict, String>,
    /// The server's count afterwards, as the server tells it; `None` if it was not to be had.
    pub runs: Option<u64>,
}

impl Row {
    /// Whether all is as expected, the count included.
    pub(crate) fn held(&self) -> bool {
        self.seen.as_ref() == Ok(&self.expected) && self.runs == Some(self.expected_runs)
    }
}

pub(crate) struct Stage<'a> {
    pub folder: &'a Folder,
    program: PathBuf,
    /// Entries of the server's log that were looked at.
    read: u64,
    /// The server's count, as it must be.
    runs: u64,
    /// Cases that did not come out as expected.
    pub broken: usize,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(folder: &'a Folder, program: PathBuf) -> Self {
        Self { folder, program, read: 0, runs: 0, broken: 0 }
    }

    /// A conversation as an agent's host has it: through a wrap, whoever is on the way (`trick`), and the guard.
    pub(crate) fn agent(&self, config: &Path, audience: &str, trick: &[&str]) -> Result<Client, Failure> {
        let mut wrap = Command::new(&self.program);
        wrap.args(["wrap", "--audience", audience, "--config"]).arg(config).arg("--");
        if !trick.is_empty() {
            wrap.arg(&self.program).arg("demo-tamper").args(trick).arg("--");
        }
        wrap.arg(&self.program);
        self.before_guard(wrap)
    }

    /// A conversation of somebody who stands at the guard's door without a proof.
    pub(crate) fn stranger(&self) -> Result<Client, Failure> {
        self.before_guard(Command::new(&self.program))
    }

    fn before_guard(&self, mut command: Command) -> Result<Client, Failure> {
        command.args(["guard", "--config"]).arg(&self.folder.guard).arg("--");
        command.arg(&self.program).arg("demo-server").arg(&self.folder.server);
        Client::start(command, self.messages()?)
    }

    /// Runs `attest` with these arguments to its end: whether it succeeded, and what it said on either output.
    pub(crate) fn attest(&self, arguments: &[&OsStr]) -> Result<(bool, String), Failure> {
        let output = Command::new(&self.program).args(arguments).stdin(Stdio::null()).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    fn messages(&self) -> std::io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.folder.messages)
    }

    /// Notes one case, which `play` plays on an open conversation, and shows it.
    pub(crate) fn case(
        &mut self,
        client: &mut Client,
        what: &'static str,
        expected: Verdict,
        play: impl FnOnce(&mut Client) -> Result<Answer, Failure>,
    ) {
        let seen = play(client).and_then(|answer| self.verdict(answer)).map_err(|e| e.to_string());
        self.note(client, what, expected, seen);
    }

    /// Notes what was seen, with the count as the server tells it now.
    pub(crate) fn note(
        &mut self,
        client: &mut Client,
        what: &'static str,
        expected: Verdict,
        seen: Result<Verdict, String>,
    ) {
        self.runs += u64::from(expected == Verdict::Accepted);
        let runs = client.tool_runs().ok();
        self.finish(&Row { what, expected, expected_runs: self.runs, seen, runs });
    }

    /// Notes that a group of cases broke off.
    pub(crate) fn lost(&mut self, what: &'static str, error: &Failure) {
        let seen = Err(error.to_string());
        self.finish(&Row { what, expected: Verdict::Accepted, expected_runs: self.runs, seen, runs: None });
    }

    /// Shows the receipt that came with the last accepted call, as the agent's signer kept it.
    pub(crate) fn receipt(&mut self) {
        let seen = self.kept_receipt().map_err(|error| error.to_string());
        self.broken += usize::from(seen.is_err());
        show::receipt(&seen);
    }

    /// Checks it with nothing but what is in the folder: the pinned key, receipt and proof.
    fn kept_receipt(&self) -> Result<Opened, Failure> {
        let config = Config::read(&self.folder.agent)?;
        let keys = config.log_keys.get(AUDIENCE).ok_or("agent.toml pins no key of the server's log")?;
        // The signer writes it down while the answer is on its way.
        for _ in 0..PATIENCE {
            for entry in Reader::open(&config.log)?.entries(0..u64::MAX) {
                let entry = entry?;
                let body: Value = serde_json::from_slice(&entry.body)?;
                if body.get("type").and_then(Value::as_str) != Some("receipt") {
                    continue;
                }
                let text = entry.token.ok_or("the entry of the receipt has lost it")?;
                let kept = json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
                let carried = Carried::read(&kept).ok_or("what is kept is no receipt")?;
                return Ok(receipt::open(carried, keys)?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("no receipt was kept".into())
    }

    fn finish(&mut self, row: &Row) {
        self.broken += usize::from(!row.held());
        show::row(row);
    }

    /// What an answer amounts to. A refusal counts only if the server's log has it as well.
    fn verdict(&mut self, answer: Answer) -> Result<Verdict, Failure> {
        let told = match answer {
            Answer::Result(text) if text == NOTE_TEXT => return Ok(Verdict::Accepted),
            Answer::Result(text) => return Err(format!("accepted, but the tool said {text:?}").into()),
            Answer::Refused(told) => told,
        };
        let reader = Reader::open(&self.folder.log)?;
        let mut refusal = None;
        for entry in reader.entries(self.read..u64::MAX) {
            let entry = entry?;
            self.read = entry.index + 1;
            let entry: Value = serde_json::from_slice(&entry.body)?;
            let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
            // `refused` counts strangers; a `decision` with a reason is about a caller who was authenticated.
            if let Some(reason) = text("reason").filter(|_| text("audience").as_deref() == Some(AUDIENCE)) {
                refusal = Some(Verdict::Refused { reason, about: text("about"), told: told.clone() });
            }
        }
        refusal.ok_or_else(|| format!("refused ({told}), but the server's log says nothing of it").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_holds_only_with_the_very_reason_place_wire_word_and_count() {
        let state = || Verdict::refused(Reason::StateMismatch, Some("system-prompt"));
        let row = |seen, runs| Row { what: "", expected: state(), expected_runs: 1, seen, runs };
        assert!(row(Ok(state()), Some(1)).held());
        let told = |told: &str| {
            let Verdict::Refused { reason, about, .. } = state() else { panic!("a refusal") };
            Verdict::Refused { reason, about, told: told.to_owned() }
        };
        for seen in [
            Ok(Verdict::Accepted),
            Ok(Verdict::refused(Reason::StateMismatch, None)),
            Ok(Verdict::refused(Reason::StateMismatch, Some("model-weights"))),
            Ok(Verdict::refused(Reason::NoReference, Some("system-prompt"))),
            Ok(told("unauthenticated")),
            Err("no answer".to_owned()),
        ] {
            assert!(!row(seen.clone(), Some(1)).held(), "{seen:?}");
        }
        assert!(!row(Ok(state()), Some(2)).held(), "the tool ran although the call was refused");
        assert!(!row(Ok(state()), None).held());
    }
}
