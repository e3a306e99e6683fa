//! The state that a call was made in: the attestation that a log keeps beside it.

use std::path::{Path, PathBuf};

use attest_core::attestation::Attestation;
use attest_core::digest::Digest;
use attest_core::entry::{Called, Verdict, Written};
use attest_core::jws::Unverified;
use attest_log::Reader;

type Failure = Box<dyn std::error::Error>;

/// A moment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// `LOG#N`: the call of entry N.
    Entry(PathBuf, u64),
    /// `LOG@TIME`: the last call until then.
    Time(PathBuf, jiff::Timestamp),
}

impl Moment {
    /// Reads one; `None` where a text is the name of a file, or no moment.
    pub(crate) fn parse(text: &Path) -> Option<Self> {
        let name = text.to_str().filter(|_| !text.exists())?;
        if let Some((log, index)) = numbered(name) {
            return Some(Self::Entry(log, index));
        }
        let (log, time) = name.rsplit_once('@')?;
        Some(Self::Time(log.into(), time.parse().ok()?))
    }

    /// Its log.
    pub(crate) fn into_log(self) -> PathBuf {
        let (Self::Entry(log, _) | Self::Time(log, _)) = self;
        log
    }

    /// The attestation that the call was made with; `agent` says whose, where several call.
    pub(crate) fn attestation(&self, agent: Option<&str>) -> Result<String, Failure> {
        match self {
            Self::Entry(log, index) => {
                let text = attestation(log, *index)?;
                if agent.is_some_and(|agent| !is_of(&text, agent)) {
                    return Err(format!("entry {index} of {} is of another agent", log.display()).into());
                }
                Ok(text)
            }
            Self::Time(log, time) => last(log, *time, agent),
        }
    }
}

/// `LOG#N`, entry N of a log.
pub(crate) fn numbered(text: &str) -> Option<(PathBuf, u64)> {
    let (log, index) = text.rsplit_once('#')?;
    Some((log.into(), index.parse().ok()?))
}

fn is_of(text: &str, agent: &str) -> bool {
    Unverified::<Attestation>::read(text).is_ok_and(|token| token.peek().agent == agent)
}

/// The hash of the attestation that an entry names.
fn named(body: &[u8]) -> Option<Digest> {
    match Written::read(body) {
        Ok(
            Written::Decision { verdict: Verdict::Allow { attestation, .. }, .. } | Written::Call { attestation, .. },
        ) => Some(attestation),
        _ => None,
    }
}

/// The attestation that the call of this entry was made with, as the log keeps it.
pub(crate) fn attestation(log: &Path, index: u64) -> Result<String, Failure> {
    let reader = Reader::open(log)?;
    let Some(body) = reader.entry(index)? else {
        return Err(format!("{} has entries 0 to {}", log.display(), reader.len()?.saturating_sub(1)).into());
    };
    let at = || format!("entry {index} of {}", log.display());
    match (named(&body), Written::read(&body)) {
        (Some(hash), _) => kept(&reader, hash, &at()),
        (None, Ok(Written::Decision { called, .. })) => {
            let called = match &called {
                Called::Tool(name) | Called::Method(name) => name.escape_debug().to_string(),
            };
            Err(format!(
                "{} refuses a call of {called}, and of a refused call a server keeps no attestation; the caller's log has it",
                at()
            )
            .into())
        }
        (None, Ok(_)) => Err(format!("{} is of no call; `attest log list` shows which are", at()).into()),
        (None, Err(error)) => Err(format!("{}: {error}", at()).into()),
    }
}

fn kept(reader: &Reader, hash: Digest, at: &str) -> Result<String, Failure> {
    Ok(reader
        .token(&hash.0)?
        .ok_or_else(|| format!("{at} names the attestation {hash}, which the log does not hold"))?)
}

/// The attestation of the last call until `time`. Entries are written one after the other, but clocks are set: all that are dated so are
/// looked at, from the last.
fn last(log: &Path, time: jiff::Timestamp, agent: Option<&str>) -> Result<String, Failure> {
    /// Entries looked at in one go.
    const STEP: u64 = 1_000;
    let until = u64::try_from(time.as_millisecond()).unwrap_or(0);
    let reader = Reader::open(log)?;
    let mut end = reader.len()?;
    let mut other: Option<Digest> = None;
    while end > 0 {
        let from = end.saturating_sub(STEP);
        let mut found = Vec::new();
        reader.walk(from..end, |_, body, _| {
            if let Ok(written) = Written::read(body)
                && written.time() <= until
                && let Some(hash) = named(body)
            {
                found.push(hash);
            }
            Ok::<_, attest_log::ReadError>(())
        })?;
        for hash in found.into_iter().rev() {
            // Neighbours share an attestation: one that is another agent's is not read again.
            if other == Some(hash) {
                continue;
            }
            let text = kept(&reader, hash, &format!("an entry of {}", log.display()))?;
            if agent.is_none_or(|agent| is_of(&text, agent)) {
                return Ok(text);
            }
            other = Some(hash);
        }
        end = from;
    }
    let of = agent.map_or_else(String::new, |agent| format!(" of {agent:?}"));
    Err(format!("{} has no call{of} until {time}", log.display()).into())
}
