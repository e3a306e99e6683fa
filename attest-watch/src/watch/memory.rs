//! What the rules remember, bounded.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;

use attest_core::digest::Digest;
use attest_core::seen::{Can, Marks};
use lru::LruCache;

/// Tools whose listing and calls are remembered.
pub(super) const TOOLS: usize = 2_048;
/// Servers.
pub(super) const SERVERS: usize = 256;
/// Destinations.
pub(super) const DESTINATIONS: usize = 2_048;
/// Calls that wait for their answer.
pub(super) const OPEN: usize = 4_096;
/// Tools and servers whose texts are marked.
pub(super) const SUSPECTS: usize = 64;
/// Marked results.
pub(super) const MARKED: usize = 16;
/// Shapes of one tool's arguments.
pub(super) const SHAPES: usize = 64;

/// Times of calls, the oldest first, each with its entry.
pub(super) type Times = VecDeque<(u64, u64)>;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) tools: LruCache<String, Tool>,
    pub(super) servers: LruCache<String, Server>,
    pub(super) destinations: LruCache<String, Times>,
    pub(super) open: LruCache<Digest, Open>,
    /// By key of tool or server, in order: what is listed with marks.
    pub(super) suspects: BTreeMap<String, Suspect>,
    pub(super) marked: VecDeque<Marked>,
    pub(super) calls: u64,
    pub(super) last: Option<(u64, u64)>,
}

#[derive(Debug, Default)]
pub(super) struct Tool {
    /// As it was listed last, and where; none where it is known by calls alone.
    pub(super) listed: Option<Listed>,
    pub(super) calls: u32,
    /// The first bytes of each digest: enough to tell shapes apart that nobody searched for.
    shapes: VecDeque<u64>,
    pub(super) times: Times,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) index: u64,
    pub(super) description: Digest,
    pub(super) schema: Digest,
    pub(super) can: Can,
}

impl Tool {
    /// Whether the shape is new; it is no longer.
    pub(super) fn is_new(&mut self, shape: &Digest) -> bool {
        let short = shape.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if self.shapes.contains(&short) {
            return false;
        }
        if self.shapes.len() == SHAPES {
            self.shapes.pop_front();
        }
        self.shapes.push_back(short);
        true
    }

    #[cfg(test)]
    pub(super) fn shapes(&self) -> usize {
        self.shapes.len()
    }
}

#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) times: Times,
    /// Entries of the latest refusals in a row.
    pub(super) denials: VecDeque<u64>,
    pub(super) denied: u32,
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) index: u64,
    pub(super) time: u64,
    pub(super) tool: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) index: u64,
    pub(super) marks: Marks,
}

/// A marked result.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) index: u64,
    pub(super) time: u64,
    pub(super) marks: Marks,
    pub(super) destinations: Vec<String>,
    /// Calls since.
    pub(super) calls: u32,
}

impl Default for Memory {
    fn default() -> Self {
        let cap = |most| NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        Self {
            tools: LruCache::new(cap(TOOLS)),
            servers: LruCache::new(cap(SERVERS)),
            destinations: LruCache::new(cap(DESTINATIONS)),
            open: LruCache::new(cap(OPEN)),
            suspects: BTreeMap::new(),
            marked: VecDeque::new(),
            calls: 0,
            last: None,
        }
    }
}

/// Names have no control characters, so no two pairs have one key.
pub(super) fn key(server: &str, tool: &str) -> String {
    let mut key = String::with_capacity(server.len() + tool.len() + 1);
    key.push_str(server);
    key.push('\0');
    key.push_str(tool);
    key
}

impl Memory {
    /// What is listed under this key has these marks now.
    pub(super) fn suspect(&mut self, key: &str, index: u64, marks: Marks) {
        if marks.is_empty() {
            self.suspects.remove(key);
            return;
        }
        self.suspects.insert(key.to_owned(), Suspect { index, marks });
        if self.suspects.len() > SUSPECTS {
            // The oldest goes.
            let oldest = self.suspects.iter().min_by_key(|(_, suspect)| suspect.index).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.suspects.remove(&key));
        }
    }

    /// A tool is no longer listed. What it was is remembered: it may come back as another.
    pub(super) fn gone(&mut self, server: &str, tool: &str) {
        self.suspects.remove(&key(server, tool));
    }

    pub(super) fn mark(&mut self, marked: Marked) {
        if self.marked.len() == MARKED {
            self.marked.pop_front();
        }
        self.marked.push_back(marked);
    }
}

/// One more at `time`; the entry of the first of them, where more than `most` lie within `seconds`. Then it starts anew.
pub(super) fn too_many(times: &mut Times, time: u64, index: u64, most: u32, seconds: u64) -> Option<u64> {
    let from = time.saturating_sub(seconds.saturating_mul(1_000));
    while times.front().is_some_and(|(at, _)| *at < from) {
        times.pop_front();
    }
    if times.len() >= most as usize {
        let first = times.front().map(|(_, index)| *index);
        times.clear();
        return first;
    }
    times.push_back((time, index));
    None
}
