//! What verified once, by the hash of its exact bytes. Bounded in all, and per agent, so that one agent that renews its
//! attestation at every call pushes out nobody else's.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Evidence;
use crate::digest::Digest;

/// Kept per agent: the current attestation with a few chains, and those it replaces.
const PER_AGENT: usize = 16;
/// Agents remembered; when there are more, all are forgotten, which costs each one cold check.
const AGENTS: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Cache {
    evidence: HashMap<Digest, Arc<Evidence>>,
    by_agent: HashMap<String, VecDeque<Digest>>,
}

impl Cache {
    pub(super) fn get(&self, key: &Digest) -> Option<Arc<Evidence>> {
        self.evidence.get(key).cloned()
    }

    pub(super) fn insert(&mut self, key: Digest, evidence: Arc<Evidence>) {
        if self.evidence.contains_key(&key) {
            return;
        }
        let agent = &evidence.attestation().agent;
        if self.by_agent.len() >= AGENTS && !self.by_agent.contains_key(agent) {
            self.by_agent.clear();
            self.evidence.clear();
        }
        let keys = self.by_agent.entry(agent.clone()).or_default();
        if keys.len() >= PER_AGENT
            && let Some(oldest) = keys.pop_front()
        {
            self.evidence.remove(&oldest);
        }
        keys.push_back(key);
        self.evidence.insert(key, evidence);
    }
}
