//! Token Status Lists: what was taken back before its time. `spec/status.md`.
//!
//! A profile of draft-ietf-oauth-status-list: an attestation or a delegation token names a place in a list, and the list's issuer
//! says, in a token of its own, what stands there. The decision is made on every call and never remembered with the evidence.

mod list;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::claims::{Claims, ClaimsError};
use crate::json::Value;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{TokenError, Unverified, Verified};
use crate::limits::MAX_STATUS_AGE;
use crate::refusal::Reason;
use crate::trust::Trust;

pub use list::{Bits, Full, Standing, StatusList};

/// The claim `status`: a place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRef {
    /// Which place, from 0.
    pub index: u64,
    /// Which list: the `sub` of its token, compared exactly.
    pub uri: String,
}

impl StatusRef {
    /// Exactly `{"status_list":{"idx":…,"uri":…}}`: another mechanism beside it would be one that nobody asks.
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, ClaimsError> {
        let invalid = |_| ClaimsError::Invalid("status");
        let mut status = Claims::of(value).map_err(invalid)?;
        let read = |list: &mut Claims<'_, '_>| Ok(Self { index: list.number("idx")?, uri: list.name("uri")? });
        let place = status.object("status_list", read).map_err(invalid)?;
        status.finish().map_err(invalid)?;
        Ok(place)
    }

    pub(crate) fn to_wire(&self) -> Status<'_> {
        Status { status_list: Place { idx: self.index, uri: &self.uri } }
    }
}

/// The claim as it is written.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    status_list: Place<'a>,
}

#[derive(Serialize)]
struct Place<'a> {
    idx: u64,
    uri: &'a str,
}

/// How much harm a call can do. What is computed from tool, arguments and labels has its place elsewhere; here it says what becomes
/// of a call whose tokens have no fresh status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Reads what is not secret.
    Low,
    /// Reads what is, or changes what can be changed back.
    Medium,
    /// Changes what cannot.
    High,
    /// A person would have to answer for it. What is not known counts as this.
    Critical,
}

impl Level {
    /// Every level, the least harm first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The level's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The level of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

/// A key that may sign one status list. One key may sign several: each says itself, in `sub`, which it is.
#[derive(Clone, Debug)]
pub struct StatusIssuer {
    /// The list.
    pub uri: String,
    /// The pinned key.
    pub key: PublicKey,
}

/// How old lists may be, and what becomes of calls without a fresh one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staleness {
    max_age: u64,
    accepted: Vec<Level>,
}

impl Default for Staleness {
    /// A day at most, and nothing passes without a fresh list.
    fn default() -> Self {
        Self { max_age: MAX_STATUS_AGE, accepted: Vec::new() }
    }
}

impl Staleness {
    /// Lists are good for `max_age` seconds at most, and calls of the `accepted` levels pass without a fresh one. `None` for an age
    /// outside 1 to [`MAX_STATUS_AGE`].
    pub fn new(max_age: u64, accepted: Vec<Level>) -> Option<Self> {
        (1..=MAX_STATUS_AGE).contains(&max_age).then_some(Self { max_age, accepted })
    }

    /// Whether a call of this level passes without a fresh list.
    pub fn accepts(&self, level: Level) -> bool {
        self.accepted.contains(&level)
    }

    /// Until when this list is fresh, in seconds since 1970: what it says itself, and the longest age.
    pub fn until(&self, list: &StatusList) -> u64 {
        let age = list.ttl.map_or(self.max_age, |ttl| ttl.min(self.max_age));
        let aged = list.issued_at.saturating_add(age);
        list.expires.map_or(aged, |expires| expires.min(aged))
    }
}

/// Why a list is not taken. What was held before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// No token of a list.
    #[error("it is no status list: {0}")]
    Token(TokenError),
    /// A list that nobody pins.
    #[error("no key is pinned for the list {0:?}")]
    NotPinned(String),
    /// Another list than was asked for.
    #[error("it is the list {found:?}, and {wanted:?} was asked for")]
    Other {
        /// Asked for.
        wanted: String,
        /// Had.
        found: String,
    },
    /// Not by the pinned key.
    #[error("it is not signed by the key {0} that is pinned for this list")]
    Signature(Thumbprint),
    /// Made before the one that is held: who shows it would undo a revocation.
    #[error("it was made at {found} (seconds since 1970), and one of {held} is held already")]
    Older {
        /// When the one that is held was made.
        held: u64,
        /// When this one was made.
        found: u64,
    },
    /// Made in the future. Taken, it would keep out each list until then.
    #[error("it is dated {found} (seconds since 1970), and it is {now}; compare the clocks")]
    Future {
        /// Its date.
        found: u64,
        /// Now.
        now: u64,
    },
}

/// The lists that a verifier holds, each verified.
#[derive(Clone, Debug, Default)]
pub struct Statuses {
    lists: HashMap<String, Held>,
}

#[derive(Clone, Debug)]
struct Held {
    list: Arc<Verified<StatusList>>,
    /// Who signed it. Under a configuration that pins another key the list is not known.
    by: Thumbprint,
}

impl Statuses {
    /// Takes `text` as the list `uri`, if the pinned key signed it and nothing newer is held. Says until when it is fresh.
    ///
    /// # Errors
    /// [`StatusError`]; nothing has changed then.
    pub fn take(&mut self, uri: &str, text: &str, trust: &Trust, now: u64) -> Result<u64, StatusError> {
        let token = Unverified::<StatusList>::read(text).map_err(StatusError::Token)?;
        let pinned = trust.status_issuer(uri).ok_or_else(|| StatusError::NotPinned(uri.to_owned()))?;
        let by = pinned.key.thumbprint().clone();
        let list = token.verify(&pinned.key).map_err(|_| StatusError::Signature(by.clone()))?;
        if list.uri != uri {
            return Err(StatusError::Other { wanted: uri.to_owned(), found: list.uri.clone() });
        }
        let found = list.issued_at;
        if found > now.saturating_add(trust.skew()) {
            return Err(StatusError::Future { found, now });
        }
        if let Some(held) = self.held(uri, trust).map(|list| list.issued_at).filter(|held| *held > found) {
            return Err(StatusError::Older { held, found });
        }
        let until = trust.staleness().until(&list);
        self.lists.insert(uri.to_owned(), Held { list: Arc::new(list), by });
        Ok(until)
    }

    /// The list that is held under this name, by the key that is pinned for it.
    pub fn held(&self, uri: &str, trust: &Trust) -> Option<&Verified<StatusList>> {
        let pinned = trust.status_issuer(uri)?;
        let held = self.lists.get(uri).filter(|held| held.by == *pinned.key.thumbprint())?;
        Some(&held.list)
    }

    /// Whether the token that names this place still counts, at `now` (seconds since 1970), for a call of this level.
    ///
    /// # Errors
    /// [`Reason::Revoked`] where the list says so, however old it is; [`Reason::StatusUnknown`] where no fresh list says anything and
    /// the level does not pass without, and always where the list is nobody's or has no such place.
    pub fn check(&self, place: &StatusRef, now: u64, level: Level, trust: &Trust) -> Result<(), Reason> {
        trust.status_issuer(&place.uri).ok_or(Reason::StatusUnknown)?;
        let without = || if trust.staleness().accepts(level) { Ok(()) } else { Err(Reason::StatusUnknown) };
        let Some(list) = self.held(&place.uri, trust) else { return without() };
        match list.standing(place.index).ok_or(Reason::StatusUnknown)? {
            Standing::Valid if trust.staleness().until(list).saturating_add(trust.skew()) > now => Ok(()),
            Standing::Valid => without(),
            Standing::Invalid | Standing::Suspended | Standing::Other(_) => Err(Reason::Revoked),
        }
    }
}
