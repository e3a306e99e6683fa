//! The log before anything was done to it, and what others know of it.

use std::collections::HashMap;
use std::path::Path;

use attest_core::checkpoint::LogKeys;
use attest_core::digest::Digest;
use attest_core::entry::{Status, Verdict, Written};
use attest_core::merkle::{Growing, Hash, leaf};
use attest_log::Reader;

use super::{Done, reader};

/// Most entries that the attacks are tried on: all of them are held in memory, and copied for each attack.
const MOST: u64 = 200_000;

/// One entry.
pub(crate) struct Kept {
    pub body: Vec<u8>,
    pub token: Option<String>,
}

/// How calls ended, by the hash of their proofs.
type Ends = HashMap<Digest, (Status, Option<Digest>)>;

pub(crate) struct Original {
    pub entries: Vec<Kept>,
    pub keys: LogKeys,
    pub checkpoint: String,
    /// Index behind the last entry whose token was let go.
    pub forgotten: u64,
    /// The largest cosigned checkpoint, or the last one as if it were.
    witness: (usize, Hash),
    /// What the receipt of the last call shows: a size and its root. None of a caller's log, which gives none.
    receipt: Option<(usize, Hash)>,
    ends: Ends,
}

impl Original {
    pub(super) fn read(log: &Path, keys: &LogKeys, forgotten: u64) -> Done<Self> {
        let reader = reader(log)?;
        if reader.len()? > MOST {
            return Err(format!("the attacks are tried on logs of up to {MOST} entries").into());
        }
        let entries = entries(&reader)?;
        let last = entries.iter().rposition(|entry| is_let_through(&entry.body));
        let seen = reader.last_cosigned()?.map_or(entries.len(), |(size, _)| usize::try_from(size).unwrap_or(0));
        Ok(Self {
            witness: (seen, root(&entries, seen)),
            receipt: last.map(|last| (last + 1, root(&entries, last + 1))),
            ends: ends(&entries),
            keys: keys.clone(),
            checkpoint: reader.checkpoint()?,
            forgotten,
            entries,
        })
    }

    /// The first entry of which `is` holds.
    pub(super) fn find(&self, is: impl Fn(&Written<'_>) -> bool) -> Option<u64> {
        let found = self.entries.iter().position(|entry| Written::read(&entry.body).is_ok_and(|entry| is(&entry)));
        found.map(|at| at as u64)
    }

    /// An entry.
    pub(super) fn at(&self, index: u64) -> Done<&Kept> {
        Ok(self.entries.get(usize::try_from(index)?).ok_or("no such entry")?)
    }

    /// How many entries there are.
    pub(super) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Whether whoever holds the receipt of the last call, and those of the calls before, finds all that they say: the tree
    /// that the last decision was shown in, and how each call ended.
    pub(super) fn is_honoured_by(&self, log: &Path) -> Done<bool> {
        let Some((size, old)) = self.receipt else { return Ok(true) };
        let Ok(now) = entries(&reader(log)?) else { return Ok(false) };
        let ends = ends(&now);
        let ended = self.ends.iter().all(|(call, end)| ends.get(call) == Some(end));
        Ok(now.len() >= size && root(&now, size) == old && ended)
    }

    /// Whether a witness that saw the log would go on with it.
    pub(super) fn is_continued_by(&self, log: &Path) -> Done<bool> {
        let (size, old) = self.witness;
        let reader = reader(log)?;
        let Ok(now) = entries(&reader) else { return Ok(false) };
        // It is shown the signed checkpoint, and not the entries.
        let signed = self.keys.open(reader.checkpoint()?.as_bytes());
        let fits = signed.is_ok_and(|signed| signed.size == now.len() as u64 && signed.root == root(&now, now.len()));
        Ok(fits && now.len() >= size && root(&now, size) == old)
    }
}

fn entries(reader: &Reader) -> Done<Vec<Kept>> {
    let mut all: Vec<Kept> = Vec::new();
    reader.walk(0..u64::MAX, |index, body, token| -> Result<(), Box<dyn std::error::Error>> {
        if index != all.len() as u64 {
            return Err("an index is missing".into());
        }
        all.push(Kept { body: body.to_vec(), token: token.map(str::to_owned) });
        Ok(())
    })?;
    Ok(all)
}

fn root(entries: &[Kept], size: usize) -> Hash {
    let mut tree = Growing::new();
    entries.iter().take(size).for_each(|entry| tree.push(leaf(&entry.body)));
    tree.root()
}

fn is_let_through(body: &[u8]) -> bool {
    matches!(Written::read(body), Ok(Written::Decision { verdict: Verdict::Allow { .. }, .. }))
}

fn ends(entries: &[Kept]) -> Ends {
    let mut ends = Ends::new();
    for entry in entries {
        if let Ok(Written::Outcome { call, status, result, .. }) = Written::read(&entry.body) {
            ends.insert(call, (status, result));
        }
    }
    ends
}
