//! The verification of a whole log: reads, spreads the work over all cores, and holds what it finds against what the log
//! says of itself. What is right and wrong is decided in `attest_core::audit`; `spec/audit.md`.
//!
//! Parts of some thousand entries go round the workers in turns. Each looks at the entries of its part by themselves, which
//! is nearly all of the work, and hands on a few bytes for each; one thread takes the parts in order. So memory holds three
//! parts per worker, the calls that are open or within the replay window, and sixteen bytes for each token of the store.

mod bases;
mod part;
mod tree;

use std::collections::HashMap;
use std::error::Error;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use attest_core::audit::{
    CosignedFault, Counts, Fault, Finding, HeadFault, Listed, Names, ReplayRow, Sequence, Tables,
};
use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::digest::Digest;
use attest_core::log_policy::LogPolicy;
use attest_core::merkle::Hash;
use attest_core::note::{Note, Vkey};
use attest_core::trust::Trust;
use attest_log::{Place, Published, Reader, Snapshot};

use bases::Shared;
use part::{PART, Part};
use tree::Tree;

/// Most findings that are kept; the others are counted.
const KEPT: usize = 100_000;
/// Parts that wait for their turn, per worker.
const WAITING: usize = 2;

/// What a log is checked with.
pub(crate) struct Ask<'a> {
    /// The log.
    pub log: &'a Place,
    /// Its keys, from whoever pins them.
    pub pinned: Option<&'a LogKeys>,
    /// Its witnesses.
    pub policy: Option<&'a LogPolicy>,
    /// Whose attestations and roots count.
    pub trust: Option<&'a Trust>,
    /// How many threads do the work.
    pub threads: usize,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Report {
    /// Number of entries.
    pub entries: u64,
    /// Root of the tree.
    pub root: Hash,
    /// What is wrong: by entry, then what is of the log as a whole.
    pub findings: Vec<Finding>,
    /// How much of it was not kept.
    pub more: u64,
    /// What the entries are.
    pub counts: Counts,
    /// Tokens in the store.
    pub tokens: u64,
    /// Signatures that were checked.
    pub signatures: u64,
    /// Signatures whose keys are nowhere in the evidence, and that nobody pinned.
    pub unchecked: u64,
    /// Whether the key that signed the last checkpoint was pinned.
    pub pinned: bool,
    /// The largest size that enough witnesses cosigned, and when the last of them did.
    pub witnessed: Option<(u64, u64)>,
    /// How many cosigned checkpoints there are.
    pub cosigned: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why a log could not be verified.
pub(crate) type Unverified = Box<dyn Error + Send + Sync>;

/// A size at which the tree must have a certain root.
struct Point {
    size: u64,
    root: Hash,
    what: Seen,
}

enum Seen {
    /// By witnesses, at these times, if they are known.
    Cosigned(Option<(u64, u64)>),
    /// By the record beside the log.
    Head,
}

/// Verifies the log as it is when this begins. `progress` is told how many entries of how many are done.
pub(crate) fn run(ask: &Ask<'_>, progress: impl Fn(u64, u64)) -> Result<Report, Unverified> {
    let begun = Instant::now();
    let reader = Reader::open(ask.log)?;
    let mut findings = Findings::default();
    // Before the snapshot: what is published was committed before, so the record is never ahead of what is read after it.
    let head = reader.log_keys().ok().map(|keys| Published::of_log(ask.log, &keys)).transpose()?;
    let mut replay = HashMap::new();
    let mut odd = Vec::new();
    let snapshot = reader.snapshot(|row| match ReplayRow::of(row.scope, row.jti, row.expires) {
        Some(kept) => drop(replay.insert(row.index, kept)),
        None => odd.push(row.index),
    })?;
    findings.extend(odd.into_iter().map(|index| Finding::at(index, Fault::ReplayRow)));
    let size = snapshot.size;
    let keys = keys_of(&snapshot.keys);
    if keys.is_none() {
        findings.add(Finding::of_the_log(Fault::Keys));
    }
    let (points, witnessed) = points(ask, &snapshot, keys.as_ref(), head, &mut findings);
    let tables = Tables {
        open: snapshot.open.iter().map(|call| Listed { index: call.index, call: Digest(call.hash) }).collect(),
        replay,
        horizon: snapshot.horizon,
        since: snapshot.since,
        forgotten: reader.forgotten()?,
        keys: keys.clone(),
    };
    let shared = Shared::new(ask.trust);
    let (tree, counts) = walk(ask, &reader, size, tables, &points, &shared, &mut findings, &progress)?;
    let (root, from) = tree.end(&reader, &snapshot.tiles, &mut findings)?;
    let pinned = checkpoint(ask, &snapshot, keys.as_ref(), root, from, &mut findings);
    let tokens = shared.hold_against(&reader, size, &mut findings)?;
    let (signatures, unchecked) = shared.counts();
    let (findings, more) = findings.in_order();
    Ok(Report {
        entries: size,
        root,
        findings,
        more,
        counts,
        tokens,
        signatures: signatures + counts.calls,
        unchecked,
        pinned,
        witnessed,
        cosigned: snapshot.cosigned.len(),
        elapsed: begun.elapsed(),
    })
}

/// Goes through all entries, on all threads, and in order.
#[allow(clippy::too_many_arguments, reason = "one caller, and each is another thing")]
fn walk(
    ask: &Ask<'_>,
    reader: &Reader,
    size: u64,
    tables: Tables,
    points: &[Point],
    shared: &Shared<'_>,
    findings: &mut Findings,
    progress: &impl Fn(u64, u64),
) -> Result<(Tree, Counts), Unverified> {
    let parts = size.div_ceil(PART);
    let threads = ask.threads.max(1);
    let mut sequence = Sequence::new(tables);
    let mut tree = Tree::new();
    let mut names = Names::new();
    let mut next_point = points.iter().peekable();
    thread::scope(|scope| {
        let outlets: Vec<Receiver<Result<Part, Unverified>>> = (0..threads)
            .map(|first| {
                let (sender, outlet) = sync_channel(WAITING);
                scope.spawn(move || {
                    let mine = (first as u64..parts).step_by(threads);
                    part::work(ask.log, mine, size, shared, |part| sender.send(part).is_ok());
                });
                outlet
            })
            .collect();
        let mut here = |tree: &Tree, sequence: &mut Sequence, at: u64, findings: &mut Findings| {
            while let Some(point) = next_point.next_if(|point| point.size == at) {
                if tree.root() != point.root {
                    findings.add(Finding::of_the_log(match point.what {
                        Seen::Cosigned(_) => Fault::Cosigned { size: at, fault: CosignedFault::Root },
                        Seen::Head => Fault::Head(HeadFault::Aside),
                    }));
                }
                if let Seen::Cosigned(Some((first, last))) = point.what {
                    findings.with(|found| sequence.witnessed(first, last, found));
                }
            }
        };
        for outlet in (0..parts).zip(outlets.iter().cycle()).map(|(_, outlet)| outlet) {
            let part = outlet.recv().map_err(|_| "a thread that reads the log ended early")??;
            if part.is_hole {
                // What comes behind a hole like this is no log's, wherever it is: nobody waits for 2^62 missing entries.
                findings.add(Finding::at(tree.size(), Fault::Missing));
                break;
            }
            let numbers: Vec<u32> = part.names.iter().map(|name| names.number(name)).collect();
            let name = |local: u32| numbers.get(local as usize).copied().unwrap_or(u32::MAX);
            findings.extend(part.findings);
            for (noted, leaf) in part.notes.iter().zip(&part.leaves) {
                here(&tree, &mut sequence, tree.size(), findings);
                findings.with(|found| sequence.next(noted, name, found));
                tree.push(*leaf);
            }
            for root in part.tiles {
                tree.tile(root, reader, findings)?;
            }
            progress(tree.size(), size);
        }
        here(&tree, &mut sequence, tree.size(), findings);
        let mut last = Vec::new();
        let counts = sequence.end(&mut last);
        findings.extend(last);
        Ok((tree, counts))
    })
}

/// The sizes at which others have seen the log, smallest first; and the largest that enough witnesses cosigned.
fn points(
    ask: &Ask<'_>,
    snapshot: &Snapshot,
    keys: Option<&LogKeys>,
    head: Option<Published>,
    findings: &mut Findings,
) -> (Vec<Point>, Option<(u64, u64)>) {
    let mut points = Vec::new();
    let mut witnessed = None;
    for (size, note) in &snapshot.cosigned {
        let size = *size;
        let mut wrong = |fault| findings.add(Finding::of_the_log(Fault::Cosigned { size, fault }));
        match cosigned(note, size, snapshot.size, keys, ask.policy) {
            Err(fault) => wrong(fault),
            Ok((point, met)) => {
                if let (true, Seen::Cosigned(Some((_, last)))) = (met, &point.what) {
                    witnessed = Some((size, *last));
                }
                points.push(point);
            }
        }
    }
    if witnessed.is_none() && ask.policy.is_some_and(|policy| !policy.is_none()) {
        findings.add(Finding::of_the_log(Fault::NotWitnessed));
    }
    let mut of_head = |fault| findings.add(Finding::of_the_log(Fault::Head(fault)));
    match head {
        None | Some(Published::Unreadable) => of_head(HeadFault::Unreadable),
        // A log that has never been open for writing since it was made has none; nor has it entries.
        // Of a shared log each verifier has a record of its own, and one that is new has none.
        Some(Published::None) if snapshot.size > 0 && matches!(ask.log, Place::File(_)) => of_head(HeadFault::Missing),
        Some(Published::None) => {}
        Some(Published::Checkpoint(head)) if head.size > snapshot.size => of_head(HeadFault::Ahead),
        Some(Published::Checkpoint(head)) => {
            points.push(Point { size: head.size, root: head.root, what: Seen::Head });
        }
    }
    points.sort_by_key(|point| point.size);
    (points, witnessed)
}

fn cosigned(
    note: &str,
    size: u64,
    log: u64,
    keys: Option<&LogKeys>,
    policy: Option<&LogPolicy>,
) -> Result<(Point, bool), CosignedFault> {
    let form = CosignedFault::Checkpoint(attest_core::checkpoint::CheckpointError::Form);
    let note = Note::parse(note.as_bytes()).map_err(|_| form)?;
    let Checkpoint { size: signed, root, .. } = match keys {
        Some(keys) => keys.open_note(&note)?,
        None => Checkpoint::parse(note.text())?,
    };
    if signed != size {
        return Err(CosignedFault::Size);
    }
    if size > log {
        return Err(CosignedFault::Ahead);
    }
    let seen = policy.map(|policy| policy.witnessed(&note)).transpose().map_err(|_| CosignedFault::Signature)?;
    let times = seen.as_ref().and_then(|seen| {
        let times = seen.cosigned.iter().map(|(_, time)| *time);
        Some((times.clone().min()?, times.max()?))
    });
    let met = seen.is_some_and(|seen| seen.met);
    Ok((Point { size, root, what: Seen::Cosigned(times) }, met))
}

/// Holds size, root and keys against the last checkpoint; whether the key that signed it is pinned.
fn checkpoint(
    ask: &Ask<'_>,
    snapshot: &Snapshot,
    keys: Option<&LogKeys>,
    root: Hash,
    from: u64,
    findings: &mut Findings,
) -> bool {
    if snapshot.stray > 0 {
        findings.add(Finding::of_the_log(Fault::Stray));
    }
    // A log whose own list of keys cannot be read is still held against the pinned ones.
    if let Some(keys) = keys.or(ask.pinned) {
        match keys.open(snapshot.checkpoint.as_bytes()) {
            Err(error) => findings.add(Finding::of_the_log(Fault::Checkpoint(error))),
            Ok(signed) if signed.size != snapshot.size => {
                findings.add(Finding::of_the_log(Fault::Size { signed: signed.size, found: snapshot.size }));
            }
            Ok(signed) if signed.root != root => findings.add(Finding::of_the_log(Fault::Root { from })),
            Ok(_) => {}
        }
    }
    let Some(own) = keys else { return ask.pinned.is_some() };
    if ask.pinned.is_some_and(|pinned| !pins(pinned, own)) {
        findings.add(Finding::of_the_log(Fault::Pinned));
    }
    // The log stands by the key that signed its last checkpoint. Directly after a change of keys that is the retired one, which
    // whoever has it can sign any log of up to that size with; the one in force has signed nothing yet.
    let Some(signer) = own.at(snapshot.size) else { return false };
    let by_policy = ask.policy.is_some_and(|policy| policy.logs().iter().any(|log| log.vkey == *signer));
    ask.pinned.is_some_and(|pinned| pinned.all().iter().any(|(key, _)| key == signer)) || by_policy
}

/// Whether the pinned keys are the log's: the last is the one in force, and those before it retired where the log says so.
/// Retired keys of the log may be missing: that they were the log's is said in entries that the last key has signed over.
pub(crate) fn pins(pinned: &LogKeys, own: &LogKeys) -> bool {
    pinned.all().last().map(|(key, _)| key) == own.all().last().map(|(key, _)| key)
        && pinned.all().iter().all(|pin| own.all().contains(pin))
}

/// The keys of a log from its table.
pub(crate) fn keys_of(table: &[(u64, String)]) -> Option<LogKeys> {
    let mut keys: Vec<(Vkey, u64)> = Vec::new();
    let mut current: Option<Vkey> = None;
    for (since, key) in table {
        match current.replace(Vkey::parse(key).ok()?) {
            Some(before) => keys.push((before, *since)),
            None if *since == 0 => {}
            None => return None,
        }
    }
    LogKeys::new(keys, current?).ok()
}

/// What was found so far, the first of it kept.
#[derive(Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    more: u64,
    buffer: Vec<Finding>,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        if self.kept.len() < KEPT {
            self.kept.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Lets `find` put what it finds into a list.
    fn with(&mut self, find: impl FnOnce(&mut Vec<Finding>)) {
        let mut buffer = std::mem::take(&mut self.buffer);
        find(&mut buffer);
        self.extend(buffer.drain(..));
        self.buffer = buffer;
    }

    /// By entry, what is of the log as a whole at the end.
    fn in_order(mut self) -> (Vec<Finding>, u64) {
        self.kept.sort_by_key(|finding| finding.index.unwrap_or(u64::MAX));
        (self.kept, self.more)
    }
}
