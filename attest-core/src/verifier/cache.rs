//! What verified once, found again by its exact bytes. Bounded in all, and per agent, so that one agent that renews its
//! attestation at every call pushes out nobody else's.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Evidence;
use crate::carrier::Carrier;

/// Kept per agent: the current attestation with a few chains, and those it replaces.
const PER_AGENT: usize = 16;
/// Agents remembered; when there are more, all are forgotten, which costs each one cold check.
const AGENTS: usize = 4_096;
/// Characters of a signature in base64url: a token ends with that many.
const SIGNATURE: usize = 86;

/// Where to look: the ends of attestation and leaf, which are their signatures. Whether it is the same is then told by
/// comparing all characters of all tokens, which costs less than hashing them, and cannot collide.
type Place = Box<[u8]>;

fn place(carrier: &Carrier<'_>) -> Place {
    let end = |text: &'_ str| text.len().saturating_sub(SIGNATURE);
    let leaf = carrier.delegation.last().copied().unwrap_or_default();
    let ends = [carrier.attestation, leaf].map(|text| text.as_bytes().get(end(text)..).unwrap_or_default());
    ends.concat().into()
}

#[derive(Debug, Default)]
pub(super) struct Cache {
    evidence: HashMap<Place, Arc<Evidence>>,
    by_agent: HashMap<String, VecDeque<Place>>,
}

impl Cache {
    pub(super) fn get(&self, carrier: &Carrier<'_>) -> Option<Arc<Evidence>> {
        let found = self.evidence.get(&place(carrier))?;
        found.is_of(carrier).then(|| found.clone())
    }

    pub(super) fn insert(&mut self, carrier: &Carrier<'_>, evidence: Arc<Evidence>) {
        let place = place(carrier);
        if self.evidence.contains_key(&place) {
            return;
        }
        let agent = &evidence.attestation().agent;
        if self.by_agent.len() >= AGENTS && !self.by_agent.contains_key(agent) {
            self.by_agent.clear();
            self.evidence.clear();
        }
        let places = self.by_agent.entry(agent.clone()).or_default();
        if places.len() >= PER_AGENT
            && let Some(oldest) = places.pop_front()
        {
            self.evidence.remove(&oldest);
        }
        places.push_back(place.clone());
        self.evidence.insert(place, evidence);
    }
}
