//! The whole provenance of one call: what was done, in which state, under which chain, with which data, on whose behalf, and what came of it;
//! over all logs that are at hand, each statement with who makes it and what shows that he made it.

mod tokens;

use std::collections::{BTreeMap, VecDeque};

use attest_core::digest::Digest;
use attest_core::entry::Written;
use attest_core::trust::Trust;
use serde::Serialize;

use crate::error::ForensicsError;
use crate::index::fill::came_from;
use crate::row::Row;
use crate::source::Source;

pub(crate) use tokens::add as add_tokens;
pub use tokens::{Hop, Proof, Signature, State};

/// Most calls of one trace. An agent's whole life can hang together.
pub const MAX_CALLS: usize = 256;

/// A call, and every call that it came of or that came of it.
#[derive(Debug, Serialize)]
pub struct Trace {
    /// The call that was asked about.
    pub call: Digest,
    /// By the hash of their proofs.
    pub calls: BTreeMap<Digest, Traced>,
    /// From what came first to what came of it.
    pub edges: Vec<Edge>,
    /// Whether there was more than [`MAX_CALLS`].
    pub cut: bool,
}

/// One call.
#[derive(Debug, Default, Serialize)]
pub struct Traced {
    /// What the logs say of it, in the order of time. None where no log at hand has it.
    pub says: Vec<Said>,
    /// The state that its caller attested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The chain that it rests on, root first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Hop>,
    /// The call proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// One entry of one log.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// The log's place among those at hand.
    pub log: usize,
    /// Its name.
    pub origin: String,
    /// Entries that the checkpoint is over in which this one was shown to be.
    pub size: u64,
    /// What it says.
    pub row: Row,
}

/// One call led to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// What came first.
    pub from: Digest,
    /// What came of it.
    pub to: Digest,
    /// How.
    pub how: How,
}

/// How one call led to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The second was made on behalf of the first.
    Cause,
    /// The second's caller had seen the first's answer.
    Data,
}

impl Trace {
    /// Follows a call. Signatures of attesters and roots are checked where `trust` pins them.
    ///
    /// # Errors
    /// [`ForensicsError`]: also where an entry is not in the tree of its log.
    pub fn of(sources: &[&dyn Source], call: Digest, trust: Option<&Trust>) -> Result<Self, ForensicsError> {
        let mut trace = Self { call, calls: BTreeMap::new(), edges: Vec::new(), cut: false };
        let mut waiting = VecDeque::from([call]);
        while let Some(call) = waiting.pop_front() {
            if trace.calls.contains_key(&call) {
                continue;
            }
            if trace.calls.len() >= MAX_CALLS {
                trace.cut = true;
                break;
            }
            let (traced, edges) = one(sources, call, trust)?;
            trace.calls.insert(call, traced);
            for edge in edges {
                waiting.extend([edge.from, edge.to]);
                trace.edges.push(edge);
            }
        }
        trace.edges.sort_unstable();
        trace.edges.dedup();
        let calls = &trace.calls;
        trace.edges.retain(|edge| calls.contains_key(&edge.from) && calls.contains_key(&edge.to));
        Ok(trace)
    }

    /// The calls that this one came of.
    pub fn came_of(&self, call: &Digest) -> impl Iterator<Item = &Edge> {
        let call = *call;
        self.edges.iter().filter(move |edge| edge.to == call)
    }

    /// The calls that came of it.
    pub fn led_to(&self, call: &Digest) -> impl Iterator<Item = &Edge> {
        let call = *call;
        self.edges.iter().filter(move |edge| edge.from == call)
    }
}

impl Traced {
    /// One call, without those that it hangs together with.
    ///
    /// # Errors
    /// As [`Trace::of`].
    pub fn of(sources: &[&dyn Source], call: Digest, trust: Option<&Trust>) -> Result<Self, ForensicsError> {
        Ok(one(sources, call, trust)?.0)
    }

    /// The server's decision, where a log at hand has it, else the caller's entry.
    pub fn main(&self) -> Option<&Said> {
        let of = |kind: &str| self.says.iter().find(|said| said.row.kind == kind);
        of("decision").or_else(|| of("call")).or_else(|| self.says.first())
    }
}

/// One call, and what it hangs together with.
fn one(sources: &[&dyn Source], call: Digest, trust: Option<&Trust>) -> Result<(Traced, Vec<Edge>), ForensicsError> {
    let (mut traced, mut edges) = (Traced::default(), Vec::new());
    for (n, source) in sources.iter().enumerate() {
        let token = |hash: &Digest| source.token(hash);
        for at in source.about(&call)? {
            let body = source.entry(at)?;
            let Ok(written) = Written::read(&body) else { continue };
            let mut row = Row::of_written(at, &written);
            // What the index finds a call by is not all of its name.
            if row.call != Some(call) {
                continue;
            }
            row.agent = row.agent.or_else(|| source.owner().map(str::to_owned));
            edges.extend(came_from(&written, token)?.into_iter().map(|(from, how)| Edge { from, to: call, how }));
            tokens::add(&mut traced, &written, at, *source, trust)?;
            traced.says.push(Said { log: n, origin: source.origin().to_owned(), size: source.size(), row });
        }
        for at in source.led_to(&call)? {
            let body = source.entry(at)?;
            let Ok(written) = Written::read(&body) else { continue };
            let Some(to) = Row::of_written(at, &written).call else { continue };
            let came = came_from(&written, token)?.into_iter().filter(|(from, _)| *from == call);
            edges.extend(came.map(|(from, how)| Edge { from, to, how }));
        }
    }
    traced.says.sort_by_key(|said| (said.row.time, said.log, said.row.index));
    Ok((traced, edges))
}
