//! `[[accepted]]`: which states a person accepted by hand, who it was and why. The guard writes it into its log.

use std::collections::HashSet;

use attest_core::claims::is_name;
use attest_core::digest::Digest;
use attest_core::entry::{Entry, Written};
use attest_core::measurement::Component;
use serde::Deserialize;

use super::reference::ComponentName;

/// A state that somebody accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acceptance {
    /// The agent.
    pub agent: String,
    /// Of which of its components.
    pub component: Component,
    /// What was accepted.
    pub digest: Digest,
    /// Who accepted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub time: u64,
}

/// Why a table says nothing that can be written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptedError {
    /// Not a name.
    #[error("{0} is a text of 1 to 256 bytes in one line")]
    Name(&'static str),
    /// Not a digest.
    #[error("digest is no SHA-256 digest in base64url")]
    Digest,
    /// Not a moment.
    #[error("time is a moment with its offset, such as 2026-11-27T09:30:00Z, since 1970")]
    Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptedTable {
    agent: String,
    component: ComponentName,
    digest: String,
    by: String,
    reason: String,
    time: toml::value::Datetime,
}

impl TryFrom<AcceptedTable> for Acceptance {
    type Error = AcceptedError;

    fn try_from(table: AcceptedTable) -> Result<Self, AcceptedError> {
        let AcceptedTable { agent, component: ComponentName(component), digest, by, reason, time } = table;
        let accepted = Self {
            agent,
            component,
            digest: Digest::from_b64(&digest).ok_or(AcceptedError::Digest)?,
            by,
            reason,
            time: moment(&time)?,
        };
        accepted.check()?;
        Ok(accepted)
    }
}

/// Whether each is a name.
pub(super) fn names<const N: usize>(texts: [(&'static str, &str); N]) -> Result<(), AcceptedError> {
    match texts.into_iter().find(|(_, text)| !is_name(text)) {
        Some((name, _)) => Err(AcceptedError::Name(name)),
        None => Ok(()),
    }
}

/// A moment of a file, in milliseconds since 1970.
pub(super) fn moment(written: &toml::value::Datetime) -> Result<u64, AcceptedError> {
    let time: Option<jiff::Timestamp> = written.to_string().parse().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok()).ok_or(AcceptedError::Time)
}

impl Acceptance {
    /// Whether an entry can say it.
    ///
    /// # Errors
    /// [`AcceptedError::Name`].
    pub fn check(&self) -> Result<(), AcceptedError> {
        names([("agent", &self.agent), ("by", &self.by), ("reason", &self.reason)])
    }

    /// The entry of a log.
    pub(crate) fn entry(&self, audience: &str, time: u64) -> Entry {
        Entry::Accepted {
            agent: self.agent.clone(),
            audience: audience.to_owned(),
            by: self.by.clone(),
            component: self.component.as_str(),
            digest: self.digest.to_b64(),
            reason: self.reason.clone(),
            since: self.time,
            time,
        }
    }

    /// What an entry says, if it is of this kind.
    fn of_entry(body: &[u8]) -> Option<Self> {
        match Written::read(body) {
            Ok(Written::Accepted { agent, component, digest, by, reason, since, .. }) => Some(Self {
                agent: agent.into_owned(),
                component,
                digest,
                by: by.into_owned(),
                reason: reason.into_owned(),
                time: since,
            }),
            _ => None,
        }
    }
}

/// Takes those out that one of these entries says already.
pub(crate) fn unwritten(mut all: Vec<Acceptance>, entries: &[Vec<u8>]) -> Vec<Acceptance> {
    let written: HashSet<_> = entries.iter().filter_map(|body| Acceptance::of_entry(body)).collect();
    all.retain(|accepted| !written.contains(accepted));
    all
}
