//! What is looked for.

use attest_core::digest::Digest;

use crate::row::Row;

/// What is looked for: an entry has to have all that is named here. Nothing named is every entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Not before this, in milliseconds since 1970.
    pub since: Option<u64>,
    /// Before this.
    pub until: Option<u64>,
    /// Types of entries (`decision`, `alert`, …; `seen` for all that was seen); one of them.
    pub kinds: Vec<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The server.
    pub server: Option<String>,
    /// The tool, or method.
    pub tool: Option<String>,
    /// `allow`, `deny`, how a call ended, …
    pub verdict: Option<String>,
    /// Why it was refused, or the rule of an alert.
    pub reason: Option<String>,
    /// A label of what the call's context had seen. An entry with every label (`*`) has it too.
    pub label: Option<String>,
    /// A host or domain that it names.
    pub destination: Option<String>,
    /// The call that it is about.
    pub call: Option<Digest>,
    /// A commitment that stands in it.
    pub commitment: Option<Digest>,
    /// Words in what was kept of it, each of them.
    pub text: Option<String>,
    /// Entries from this index on alone: what came since.
    pub from: Option<u64>,
    /// Entries below this index alone: the next page.
    pub below: Option<u64>,
}

impl Query {
    /// Whether an entry has what is asked for, as far as its row tells: of times, commitments and words in what was kept nothing is asked.
    pub fn matches(&self, row: &Row) -> bool {
        let Self { kinds, agent, server, tool, verdict, reason, label, destination, call, .. } = self;
        let is =
            |asked: &Option<String>, there: Option<&str>| asked.as_deref().is_none_or(|asked| there == Some(asked));
        let kind = |asked: &String| asked == row.kind || (asked == "seen" && row.kind.starts_with("seen:"));
        (kinds.is_empty() || kinds.iter().any(kind))
            && is(agent, row.agent.as_deref())
            && is(server, row.server.as_deref())
            && is(tool, row.tool.as_deref())
            && is(verdict, row.verdict)
            && is(reason, row.reason.as_deref())
            && label.as_ref().is_none_or(|label| row.labels.iter().any(|has| has == label || has == "*"))
            && destination.as_ref().is_none_or(|host| row.destinations.contains(host))
            && call.is_none_or(|call| row.call == Some(call))
    }
}
