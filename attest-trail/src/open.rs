//! A recorder for a log: rules, what they remember of the log, redaction, and sinks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_core::digest::Digest;
use attest_core::entry::Written;
use attest_log::clock::now_ms;
use attest_log::{Log, ReadError, Reader};
use attest_watch::{Rules, RulesError, Watch};

use crate::config::Table;
use crate::keep::{Keep, KeepError};
use crate::recorder::{Recorder, Writing};
use crate::sinks::{self, SinksError};

/// How many of the log's last entries the rules are shown at the start, so that they remember tools, destinations and
/// servers: a tenth of a second's work.
const REMEMBERED: u64 = 20_000;

/// Why a trail cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Rules.
    #[error("{path}: {source}", path = path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RulesError,
    },
    /// Rules of redaction.
    #[error("{path}: {source}", path = path.display())]
    Redaction {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: attest_redact::RulesError,
    },
    /// What is kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// A shared log whose folder is not named.
    #[error("texts are kept beside a log, and a shared one needs a folder for that; set side")]
    NoFolder,
    /// Sinks.
    #[error(transparent)]
    Sinks(#[from] SinksError),
    /// The log cannot be opened for reading.
    #[error(transparent)]
    Log(#[from] attest_log::OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Reading(#[from] ReadError),
}

/// Opens it. Must be called in a tokio runtime.
///
/// # Errors
/// [`OpenError`].
pub fn open(log: &Arc<Log>, table: &Table, how: Writing) -> Result<Recorder, OpenError> {
    let mut watch = Watch::new(rules(table)?);
    let reader = Reader::open(log.place())?;
    let length = reader.len()?;
    for entry in reader.entries(length.saturating_sub(REMEMBERED)..length) {
        let entry = entry?;
        if let Ok(Written::Seen { event, time }) = Written::read(&entry.body) {
            watch.see(entry.index, time, &event);
        }
    }
    let redaction = redaction(table)?;
    let keep = match (table.keep, log.place().beside()) {
        (false, _) => None,
        (true, Some(beside)) => Some(Keep::open(&beside, redaction)?),
        (true, None) => return Err(OpenError::NoFolder),
    };
    let sinks = sinks::start(&table.sink)?;
    Ok(Recorder::start(log.clone(), watch, keep, sinks, how))
}

/// Keeps the system prompt that an agent attests beside its log, redacted as messages are, where the table says that anything is kept: the log
/// itself has no more than its digest, and whoever asks later what a change was needs both texts. Erased as `session` [`PROMPT`].
///
/// # Errors
/// [`OpenError`]: it is not kept.
pub fn keep_prompt(log: &Path, table: &Table, prompt: &str) -> Result<(), OpenError> {
    if !table.keep {
        return Ok(());
    }
    let mut keep = Keep::open(log, redaction(table)?)?;
    Ok(keep.put_text(PROMPT, Digest::of(prompt), prompt, now_ms())?)
}

/// What a kept system prompt is kept as.
pub const PROMPT: &str = "system-prompt";

/// Reads what the table names, so that what is wrong there is found before a log is made.
///
/// # Errors
/// [`OpenError`].
pub fn check(table: &Table) -> Result<(), OpenError> {
    rules(table)?;
    redaction(table)?;
    Ok(())
}

fn redaction(table: &Table) -> Result<Option<attest_redact::Rules>, OpenError> {
    let Some(path) = &table.redaction else { return Ok(None) };
    let rules = attest_redact::Rules::from_toml(&text(path)?);
    rules.map(Some).map_err(|source| OpenError::Redaction { path: path.clone(), source })
}

fn rules(table: &Table) -> Result<Rules, OpenError> {
    match &table.rules {
        None => Ok(Rules::default()),
        Some(path) => Rules::parse(&text(path)?).map_err(|source| OpenError::Rules { path: path.clone(), source }),
    }
}

fn text(path: &Path) -> Result<String, OpenError> {
    std::fs::read_to_string(path).map_err(|source| OpenError::Read { path: path.to_owned(), source })
}
