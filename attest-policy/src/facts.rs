//! What is known of one call when it is decided: `spec/facts.md`.

mod read;
mod write;

use std::collections::BTreeSet;

use attest_core::alert::Severity;
use attest_core::claims::{ClaimsError, is_name};
use attest_core::json::{JsonError, Value};
use attest_core::measurement::Measurement;

use crate::decision::Met;
use crate::risk::Risk;

/// Most groups, classes, labels, open alerts and approving groups, of each.
pub const MAX_ITEMS: usize = 128;
/// The last second that Cedar's `datetime` can say: the end of the year 9999.
pub const MAX_TIME: u64 = 253_402_300_799;
/// Below this a number is a whole one in any reader of JSON.
const EXACT: u64 = 1 << 53;

/// What is known of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts<'a> {
    /// The agent, as attested.
    pub agent: String,
    /// The groups that the configuration has it in.
    pub groups: BTreeSet<String>,
    /// The server's audience.
    pub server: String,
    /// What is asked of it.
    pub asked: Asked,
    /// The classes that the rules of risk have the tool in.
    pub classes: BTreeSet<String>,
    /// What was measured of the agent; ascending by component, each once.
    pub components: Vec<Measurement>,
    /// The chain that the call rests on.
    pub delegation: Delegation,
    /// The labels of everything that the context has seen.
    pub labels: BTreeSet<String>,
    /// What could come of the call.
    pub risk: Risk,
    /// Alerts on this context that nobody has closed.
    pub alerts: BTreeSet<Open>,
    /// Seconds since 1970.
    pub time: u64,
    /// The step-ups that were met.
    pub met: Met,
    /// What the call passes; no log keeps it with the facts.
    pub arguments: Arguments<'a>,
}

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A tool is called.
    Tool(String),
    /// Another method, of those that need a proof.
    Method(String),
}

/// The arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arguments<'a> {
    /// The call has none.
    Absent,
    /// These.
    Given(&'a Value<'a>),
    /// The facts are from a log. A policy that reads arguments cannot be asked.
    NotKept,
}

/// The chain that a call rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Derivations from the root to the leaf.
    pub depth: u64,
    /// Who holds the leaf: the thumbprint of the key.
    pub holder: String,
    /// Seconds until the first token of the chain expires.
    pub left: u64,
    /// Who issued the root.
    pub root: String,
}

/// An alert that nobody has closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// The rule that found it.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
}

/// Why these are no facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// The text is not strict JSON.
    #[error("the facts are not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// The text is not in canonical form.
    #[error("the facts are not in canonical form")]
    NotCanonical,
    /// A member is missing, not of its form, or none of theirs.
    #[error("the facts: {0}")]
    Member(#[from] ClaimsError),
    /// A name is empty, too long or has control characters.
    #[error("the facts: a name in {0:?} is not a name")]
    Name(&'static str),
    /// There are more than [`MAX_ITEMS`].
    #[error("the facts: more than {MAX_ITEMS} items in {0:?}")]
    TooMany(&'static str),
    /// A number or time beyond what can be said.
    #[error("the facts: {0:?} is out of range")]
    Range(&'static str),
    /// Components not in ascending order, or one of them twice.
    #[error("the facts: the components are not in ascending order, each once")]
    Order,
}

impl Facts<'_> {
    /// Whether every member has its form, so that what is written can be read again.
    ///
    /// # Errors
    /// [`FactsError`]: the first member that has not.
    pub fn check(&self) -> Result<(), FactsError> {
        let Self { agent, groups, server, asked, classes, components, delegation, labels, alerts, time, met, .. } =
            self;
        let (Asked::Tool(asked) | Asked::Method(asked)) = asked;
        name("agent", agent)?;
        name("server", server)?;
        // The first # of a tool's name in full ends the audience.
        if server.contains('#') {
            return Err(FactsError::Name("server"));
        }
        name("asked", asked)?;
        name("delegation", &delegation.holder)?;
        name("delegation", &delegation.root)?;
        names("groups", groups.len(), groups)?;
        names("classes", classes.len(), classes)?;
        names("labels", labels.len(), labels)?;
        names("alerts", alerts.len(), alerts.iter().map(|alert| &alert.rule))?;
        names("met", met.approvals.len(), met.approvals.keys())?;
        if !components.windows(2).all(|pair| matches!(pair, [a, b] if a.component < b.component)) {
            return Err(FactsError::Order);
        }
        if delegation.depth >= EXACT || delegation.left >= EXACT {
            return Err(FactsError::Range("delegation"));
        }
        if *time > MAX_TIME {
            return Err(FactsError::Range("time"));
        }
        Ok(())
    }
}

fn name(member: &'static str, text: &str) -> Result<(), FactsError> {
    if is_name(text) { Ok(()) } else { Err(FactsError::Name(member)) }
}

fn names<'s>(member: &'static str, count: usize, all: impl IntoIterator<Item = &'s String>) -> Result<(), FactsError> {
    if count > MAX_ITEMS {
        return Err(FactsError::TooMany(member));
    }
    all.into_iter().try_for_each(|text| name(member, text))
}
