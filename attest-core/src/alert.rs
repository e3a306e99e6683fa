//! What a rule found in what was seen: `spec/alert.md`.

use crate::claims::{Claims, ClaimsError, is_name};
use crate::digest::{Digest, Jti};
use crate::named::named;
use crate::seen::is_word;
use serde::Serialize;

/// Most entries that an alert rests on.
pub const MAX_ENTRIES: usize = 16;
/// Longest reason, in bytes.
pub const MAX_REASON: usize = 512;

named! {
    /// How bad it is, if it is what it looks like.
    Severity {
        /// Good to know.
        Info = "info",
        /// Seldom anything.
        Low = "low",
        /// Worth a look.
        Medium = "medium",
        /// Look now.
        High = "high",
        /// Stop.
        Critical = "critical",
    }
}

named! {
    /// What is to be done about it.
    Action {
        /// Nothing but the entry.
        Note = "note",
        /// The result goes on, marked as untrusted.
        Label = "label",
        /// The result is kept back.
        Hold = "hold",
        /// The next call is refused.
        Refuse = "refuse",
    }
}

impl Serialize for Severity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a rule found. The time stands in the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What is to be done.
    pub action: Action,
    /// The call it is about.
    pub call: Option<Digest>,
    /// Indexes of the entries it rests on: 1 to [`MAX_ENTRIES`], ascending, each once.
    pub entries: Vec<u64>,
    /// One line, of fixed text, numbers and names.
    pub reason: String,
    /// The rule's name; see [`is_word`].
    pub rule: String,
    /// The server of the event that set it off.
    pub server: String,
    /// Its session.
    pub session: Jti,
    /// How bad it is.
    pub severity: Severity,
    /// The tool it is about.
    pub tool: Option<String>,
}

impl Alert {
    /// Whether every member has its form, so that what is written can be read again.
    pub fn is_sound(&self) -> bool {
        self.tool.as_deref().is_none_or(is_name)
            && is_name(&self.server)
            && is_word(&self.rule)
            && is_reason(&self.reason)
            && are_entries(&self.entries)
    }

    /// Takes the members of an alert; the caller refuses what is left over.
    pub(crate) fn read(members: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let invalid = |name| move || ClaimsError::Invalid(name);
        let entries: Option<Vec<u64>> = members.array("entries")?.iter().map(|index| index.as_u53()).collect();
        let reason = members.text("reason")?;
        let rule = members.text("rule")?;
        Ok(Self {
            action: Action::parse(members.text("action")?).ok_or_else(invalid("action"))?,
            call: match members.optional("call") {
                Some(call) => Some(call.as_str().and_then(Digest::from_b64).ok_or_else(invalid("call"))?),
                None => None,
            },
            entries: entries.filter(|entries| are_entries(entries)).ok_or_else(invalid("entries"))?,
            reason: Some(reason).filter(|reason| is_reason(reason)).ok_or_else(invalid("reason"))?.to_owned(),
            rule: Some(rule).filter(|rule| is_word(rule)).ok_or_else(invalid("rule"))?.to_owned(),
            server: members.name("server")?,
            session: members.jti("session")?,
            severity: Severity::parse(members.text("severity")?).ok_or_else(invalid("severity"))?,
            tool: match members.optional("tool") {
                Some(tool) => Some(tool.as_str().filter(|tool| is_name(tool)).ok_or_else(invalid("tool"))?.to_owned()),
                None => None,
            },
        })
    }
}

fn is_reason(reason: &str) -> bool {
    (1..=MAX_REASON).contains(&reason.len()) && !reason.chars().any(char::is_control)
}

fn are_entries(entries: &[u64]) -> bool {
    (1..=MAX_ENTRIES).contains(&entries.len())
        && entries.windows(2).all(|pair| matches!(pair, [a, b] if a < b))
        && entries.iter().all(|index| *index < 1 << 53)
}
