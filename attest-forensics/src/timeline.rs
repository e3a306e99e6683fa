//! What happened, in the order of time, over many logs: not each entry, but what somebody who was not there has to know.

use std::collections::{BTreeMap, HashMap};

use attest_core::attestation::Attestation;
use attest_core::digest::Digest;
use attest_core::entry::{Verdict, Written};
use attest_core::jws::Unverified;
use attest_core::measurement::Component;
use attest_log::Entry;
use serde::Serialize;

use crate::by_time::ByTime;
use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::row::Row;

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Moment {
    /// The log's place among those at hand.
    pub log: usize,
    /// The entry; of several, the first.
    pub row: Row,
    /// How many alike in a row.
    pub times: u64,
    /// Time of the last of them.
    pub last: u64,
    /// What of the agent's state is another than with its call before, or is seen for the first time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Change>,
}

/// A component that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which.
    pub component: String,
    /// What it was; absent where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// What it is; absent where it is there no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

/// The last that is known of an agent.
#[derive(Default)]
struct Agent {
    attestation: Option<Digest>,
    components: BTreeMap<Component, Digest>,
}

/// What is known once a timeline is at its end, so that another one goes on from there.
#[derive(Default)]
pub struct Past {
    agents: HashMap<String, Agent>,
    /// For each log, the entry that comes next.
    next: Vec<u64>,
}

/// Entries of several logs by their times.
pub struct Timeline<'e> {
    logs: Vec<&'e Evidence>,
    entries: ByTime<'e>,
    agents: HashMap<String, Agent>,
    waiting: Option<Moment>,
}

impl<'e> Timeline<'e> {
    /// Of these logs, from their beginnings: what an agent was before is known only so.
    pub fn new(logs: impl IntoIterator<Item = &'e Evidence>) -> Self {
        Self::after(Past::default(), logs)
    }

    /// Of the same logs, in the same order, where an earlier timeline ended.
    pub fn after(past: Past, logs: impl IntoIterator<Item = &'e Evidence>) -> Self {
        let logs: Vec<_> = logs.into_iter().collect();
        let next = (0..).map(|n| past.next.get(n).copied().unwrap_or(0));
        let entries = logs.iter().zip(next).map(|(evidence, next)| evidence.reader.entries(next..evidence.size()));
        let entries = ByTime::new(entries);
        Self { logs, entries, agents: past.agents, waiting: None }
    }

    /// What is known at the end.
    pub fn past(self) -> Past {
        Past { agents: self.agents, next: self.logs.iter().map(|evidence| evidence.size()).collect() }
    }

    /// What happened next; `None` at the end.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn step(&mut self) -> Result<Option<Moment>, ForensicsError> {
        while let Some((log, Entry { index, body, .. })) = self.entries.next().transpose()? {
            let Some(moment) = self.moment(log, index, &body)? else { continue };
            match &mut self.waiting {
                Some(waiting) if alike(waiting, &moment) => {
                    waiting.times += 1;
                    waiting.last = moment.row.time;
                }
                _ => {
                    if let Some(done) = self.waiting.replace(moment) {
                        return Ok(Some(done));
                    }
                }
            }
        }
        Ok(self.waiting.take())
    }

    fn moment(&mut self, log: usize, index: u64, body: &[u8]) -> Result<Option<Moment>, ForensicsError> {
        let Ok(written) = Written::read(body) else {
            let row = Row::of(index, body);
            return Ok(Some(Moment { log, last: row.time, row, times: 1, changed: Vec::new() }));
        };
        let changed = match &written {
            Written::Decision { agent, verdict: Verdict::Allow { attestation, .. }, .. } => {
                self.changed(log, agent, *attestation)?
            }
            Written::Call { attestation, .. } => {
                let owner = self.logs.get(log).and_then(|evidence| evidence.owner());
                self.changed(log, owner.unwrap_or_default(), *attestation)?
            }
            // The end of a call, what passed, and receipts that hold, say nothing new.
            Written::Outcome { .. } | Written::Used { .. } | Written::Receipt { kept: Some(_), .. } => return Ok(None),
            Written::Seen { event, .. } if !matches!(event.what, attest_core::seen::What::State(_)) => return Ok(None),
            _ => Vec::new(),
        };
        let mut row = Row::of_written(index, &written);
        if let Some(evidence) = self.logs.get(log) {
            evidence.owned(&mut row);
        }
        Ok(Some(Moment { log, last: row.time, row, times: 1, changed }))
    }

    fn changed(&mut self, log: usize, agent: &str, attestation: Digest) -> Result<Vec<Change>, ForensicsError> {
        let known = self.agents.entry(agent.to_owned()).or_default();
        if known.attestation == Some(attestation) {
            return Ok(Vec::new());
        }
        let Some(evidence) = self.logs.get(log) else { return Ok(Vec::new()) };
        let text = evidence.reader.token(&attestation.0)?;
        let Some(token) = text.and_then(|text| Unverified::<Attestation>::read(&text).ok()) else {
            return Ok(Vec::new());
        };
        let now: BTreeMap<Component, Digest> =
            token.peek().measurements.iter().map(|m| (m.component, m.digest)).collect();
        known.attestation = Some(attestation);
        let before = std::mem::replace(&mut known.components, now.clone());
        let all = before.keys().chain(now.keys().filter(|component| !before.contains_key(*component)));
        let changes = all.map(|component| Change {
            component: component.to_string(),
            before: before.get(component).copied(),
            after: now.get(component).copied(),
        });
        Ok(changes.filter(|change| change.before != change.after).collect())
    }
}

/// Whether the second says nothing that the first does not: the same again.
fn alike(a: &Moment, b: &Moment) -> bool {
    let same = |a: &Row, b: &Row| {
        (a.kind, &a.agent, &a.server, &a.tool, a.verdict, &a.reason)
            == (b.kind, &b.agent, &b.server, &b.tool, b.verdict, &b.reason)
    };
    a.log == b.log
        && same(&a.row, &b.row)
        && b.changed.is_empty()
        && matches!(b.row.kind, "decision" | "call" | "refused")
}
