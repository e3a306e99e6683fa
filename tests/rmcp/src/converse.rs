//! The scripted client: says to a server what a scenario lists, and writes down what comes back. It is the third beside
//! `tests/real/python/converse.py` and `tests/real/node/converse.mjs`, with the same flags and the same transcript, described in
//! `tests/real/README.md`.

mod answers;
mod normalise;
mod outcome;
mod perform;
mod scenario;
mod transport;

use std::io::{self, Write};
use std::path::PathBuf;

use rmcp::service::ClientInitializeError;
use serde_json::{Value, json};

use self::normalise::Normaliser;
use self::outcome::Kind;
use self::perform::Conversation;
use self::scenario::{Action, Scenario, Step, fill};

/// How to reach the server.
#[derive(Debug, Clone)]
pub enum Server {
    /// Over stdio. The command gets a few variables of this process (as the Python SDK has it) and those given here.
    Command {
        /// Program and arguments.
        words: Vec<String>,
        /// Further variables.
        env: Vec<(String, String)>,
    },
    /// Over Streamable HTTP.
    Url {
        /// The endpoint.
        url: String,
        /// Headers that go with each request.
        headers: Vec<(String, String)>,
    },
}

/// What to say.
#[derive(Debug, Clone)]
pub enum Script {
    /// All steps of a scenario.
    Scenario {
        /// Its name.
        name: String,
        /// The file it is in; without one, the scenarios of `tests/real/scenarios.json`.
        file: Option<PathBuf>,
    },
    /// One call, some times.
    Call {
        /// The tool.
        tool: String,
        /// Its arguments, a JSON object.
        arguments: String,
        /// How often.
        times: u32,
        /// Whether each call must be refused, and not go through.
        refused: bool,
    },
}

/// Which revision to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28, or 2025-11-25 when the server knows nothing newer.
    Auto,
    /// 2025-11-25.
    Legacy,
}

/// One conversation.
#[derive(Debug, Clone)]
pub struct Talk {
    /// With whom.
    pub server: Server,
    /// What is said.
    pub script: Script,
    /// In which revision.
    pub era: Era,
    /// The folder that the server works on: stands for `{workdir}`, and is masked in what comes back.
    pub workdir: Option<PathBuf>,
}

/// Why no conversation came about.
#[derive(Debug, thiserror::Error)]
pub enum ConverseError {
    /// A file cannot be read, or the transcript not written.
    #[error("{what}: {source}")]
    Io {
        /// The file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The scenarios, or the arguments of `--call`, are not of the form they must have.
    #[error("{what} cannot be read as JSON: {source}")]
    Json {
        /// Which.
        what: String,
        /// Where it is wrong.
        source: serde_json::Error,
    },
    /// No scenario has this name.
    #[error("there is no scenario {name}; there are {known}")]
    NoScenario {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A pattern of the scenario's masks is no regular expression.
    #[error("a mask of the scenario is no regular expression: {0}")]
    Mask(#[from] regex::Error),
    /// The server's command is empty.
    #[error("give the server's command after --, or --url")]
    NoCommand,
    /// A header cannot be sent as it is.
    #[error("{0} is not a header that can be sent")]
    Header(String),
    /// The server's command does not start.
    #[error("cannot start {command}: {source}")]
    Start {
        /// The program.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server does not answer as an MCP server.
    #[error("cannot talk to {server}: {source}")]
    Connect {
        /// The URL or the program.
        server: String,
        /// What rmcp said.
        source: Box<ClientInitializeError>,
    },
}

impl Talk {
    /// Holds the conversation and writes its transcript to `out`. What was not as expected is returned, one sentence each;
    /// nothing there means that all went well.
    ///
    /// # Errors
    ///
    /// When no conversation came about, or `out` cannot be written.
    pub async fn hold(&self, out: &mut (dyn Write + Send)) -> Result<Vec<String>, ConverseError> {
        match &self.script {
            Script::Scenario { name, file } => self.play(&Scenario::load(name, file.as_deref())?, out).await,
            Script::Call { tool, arguments, times, refused } => {
                let arguments = serde_json::from_str(arguments)
                    .map_err(|source| ConverseError::Json { what: "the arguments of the call".to_owned(), source })?;
                let action = Action::Call { tool: tool.clone(), args: arguments };
                self.call(&action, *times, *refused, out).await
            }
        }
    }

    async fn play(&self, scenario: &Scenario, out: &mut (dyn Write + Send)) -> Result<Vec<String>, ConverseError> {
        let normaliser = Normaliser::new(self.workdir.as_deref(), &scenario.mask)?;
        let conversation = Conversation::open(self).await?;
        let mut surprises = Vec::new();
        emit(out, &normaliser, json!({"step": "connect", "outcome": conversation.connected()}))?;
        for Step { step, expect, action } in &scenario.steps {
            let outcome = conversation.perform(&fill(action, self.workdir.as_deref())).await;
            let (kind, silent) = (outcome.kind(), outcome.progress.as_ref().is_some_and(Vec::is_empty));
            emit(out, &normaliser, json!({"step": step, "outcome": outcome}))?;
            if kind != *expect {
                surprises.push(format!("step {step}: expected {expect}, got {kind}"));
            } else if silent {
                surprises.push(format!("step {step}: no progress was reported"));
            }
        }
        emit(out, &normaliser, json!({"step": "notifications", "outcome": conversation.notifications()}))?;
        conversation.close().await;
        Ok(surprises)
    }

    async fn call(
        &self,
        action: &Action,
        times: u32,
        refused: bool,
        out: &mut (dyn Write + Send),
    ) -> Result<Vec<String>, ConverseError> {
        let normaliser = Normaliser::new(self.workdir.as_deref(), &[])?;
        let action = fill(action, self.workdir.as_deref());
        let conversation = Conversation::open(self).await?;
        let mut surprises = Vec::new();
        for time in 1..=times {
            let outcome = conversation.perform(&action).await;
            let kind = outcome.kind();
            emit(out, &normaliser, if refused { outcome.refusal() } else { json!(outcome) })?;
            if matches!(kind, Kind::Error | Kind::ToolError) != refused {
                let wanted = if refused { "a refusal" } else { "an answer" };
                surprises.push(format!("call {time}: expected {wanted}, got {kind}"));
            }
        }
        conversation.close().await;
        Ok(surprises)
    }
}

fn emit(out: &mut (dyn Write + Send), normaliser: &Normaliser, value: Value) -> Result<(), ConverseError> {
    let failed = |source| ConverseError::Io { what: "the transcript".to_owned(), source };
    writeln!(out, "{}", normaliser.apply(value)).and_then(|()| out.flush()).map_err(failed)
}
