//! What verified once, found again by its exact bytes or by the hashes of its tokens. Bounded in all, and per agent, so
//! that one agent that renews its attestation at every call pushes out nobody else's.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Evidence;
use crate::carrier::{Tokens, name_of};
use crate::digest::Digest;
use crate::labels::Labels;

/// Kept per agent: the current attestation with a few chains, and those it replaces.
const PER_AGENT: usize = 16;
/// Agents remembered; when there are more, all are forgotten, which costs each one cold check.
const AGENTS: usize = 4_096;
/// Receipts remembered; when there are more, all are forgotten, which costs each one signature check.
const RECEIPTS: usize = 16_384;
/// Characters of a signature in base64url: a token ends with that many.
const SIGNATURE: usize = 86;

/// Where to look: the ends of attestation and leaf, which are their signatures. Whether it is the same is then told by
/// comparing all characters of all tokens, which costs less than hashing them, and cannot collide.
type Place = Box<[u8]>;

fn place(attestation: &str, leaf: &str) -> Place {
    let end = |text: &'_ str| text.len().saturating_sub(SIGNATURE);
    let ends = [attestation, leaf].map(|text| text.as_bytes().get(end(text)..).unwrap_or_default());
    ends.concat().into()
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    evidence: HashMap<Place, Arc<Evidence>>,
    /// Where to look for a shorthand: the name that the hashes of all its tokens make together.
    by_name: HashMap<Digest, Arc<Evidence>>,
    by_agent: HashMap<String, VecDeque<(Place, Digest)>>,
    /// Labels of receipts that were looked at, by their hashes.
    receipts: HashMap<Digest, Labels>,
}

impl Cache {
    pub(super) fn get(&self, tokens: &Tokens<'_>) -> Option<Arc<Evidence>> {
        match tokens {
            Tokens::Full { attestation, delegation } => {
                let found = self.evidence.get(&place(attestation, delegation.last()?))?;
                found.is_of(attestation, delegation).then(|| found.clone())
            }
            Tokens::Short { attestation, delegation } => {
                self.by_name.get(&name_of(*attestation, delegation.iter().copied())).cloned()
            }
        }
    }

    pub(super) fn receipt(&self, hash: &Digest) -> Option<&Labels> {
        self.receipts.get(hash)
    }

    pub(super) fn keep_receipt(&mut self, hash: Digest, labels: Labels) {
        if self.receipts.len() >= RECEIPTS {
            self.receipts.clear();
        }
        self.receipts.insert(hash, labels);
    }

    pub(super) fn insert(&mut self, evidence: &Arc<Evidence>) {
        let (attestation, leaf) = evidence.ends();
        let place = place(attestation, leaf);
        if self.evidence.contains_key(&place) {
            return;
        }
        let agent = &evidence.attestation().agent;
        if self.by_agent.len() >= AGENTS && !self.by_agent.contains_key(agent) {
            self.by_agent.clear();
            self.evidence.clear();
            self.by_name.clear();
        }
        let places = self.by_agent.entry(agent.clone()).or_default();
        if places.len() >= PER_AGENT
            && let Some((place, name)) = places.pop_front()
        {
            self.evidence.remove(&place);
            self.by_name.remove(&name);
        }
        let name = evidence.name();
        places.push_back((place.clone(), name));
        self.evidence.insert(place, evidence.clone());
        self.by_name.insert(name, evidence.clone());
    }
}
