//! The caller's log against the server's: which calls only one of them has, and where they say different things.
//!
//! Both are read once, side by side, by the times of their entries. What is kept is the calls of the last half hour (a call
//! proof lives five minutes, clocks may differ by six), those that have not ended, and what is to be reported.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::path::Path;

use attest_core::audit::SKEW;
use attest_core::digest::Digest;
use attest_core::entry::{Checked, Status, Verdict, Written};
use attest_core::json;
use attest_core::receipt::{self, Carried};
use attest_core::tlog_proof::TlogProof;
use attest_log::Reader;

mod own_accord;
mod stream;

use stream::{Entry, STEP, Stream};

/// For how long, in milliseconds, the other half of a call is waited for: the life of a call proof and twice what clocks may
/// differ by, doubled.
pub(crate) const WINDOW: u64 = 2 * (300 + 2 * SKEW) * 1_000;

/// Something that the two logs do not agree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Difference {
    /// The server's log lacks a call that was answered.
    OnlyCaller,
    /// The caller's log lacks a call that the server says this agent made.
    OnlyServer,
    /// The call ended differently.
    Status,
    /// With another result.
    Result,
    /// The server says that it refused the call, and the caller that it was answered.
    Refused,
    /// The entries are about the same call proof and say different things of it.
    Entry,
    /// A receipt that the server's log no longer honours.
    Receipt,
    /// The caller made it of its own accord, and was being asked for something itself.
    OwnAccord,
}

/// Where the two differ.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub difference: Difference,
    /// Hash of the call proof.
    pub call: Digest,
    /// In words.
    pub what: String,
    /// The caller's entry that it is about.
    pub caller: Option<u64>,
    /// The server's.
    pub server: Option<u64>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The agent, and the server's audience.
    pub agent: String,
    pub audience: String,
    /// Calls that both have.
    pub both: u64,
    /// Calls that only the caller has, and that need not be in the other: refused before they were logged, never answered, or
    /// in flight at the end.
    pub unlogged: u64,
    /// Calls of which one side has no outcome yet, or never knew it.
    pub unknown: u64,
    /// Calls outside the time that the other log covers.
    pub outside: u64,
    /// Receipts that the server's log honours.
    pub receipts: u64,
    /// What differs.
    pub found: Vec<Found>,
}

type Done<T> = Result<T, Box<dyn Error>>;

#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    index: u64,
    status: Status,
    result: Option<Digest>,
}

/// What is compared of the entry of a call.
#[derive(Clone, PartialEq, Eq)]
struct Rests {
    attestation: Digest,
    delegation: Vec<Digest>,
    params: Digest,
    notification: bool,
}

/// A call that names no cause.
struct Alone {
    call: Digest,
    time: u64,
    caller: u64,
    server: u64,
}

#[derive(Default)]
struct Pair {
    caller: Option<(u64, Rests)>,
    /// None inside where it was refused.
    server: Option<(u64, Option<Rests>)>,
    caller_end: Option<End>,
    server_end: Option<End>,
    /// What a receipt says of the end, and the caller's entry about it.
    receipt: Option<End>,
    /// Whether the server let it through as one that is made on nobody's behalf.
    alone: bool,
    /// When something of it was last read.
    touched: u64,
    time: u64,
}

impl Pair {
    /// Whether nothing more can come of it.
    fn is_whole(&self) -> bool {
        let ends = |rests: &Option<Rests>| rests.as_ref().is_some_and(|rests| !rests.notification);
        match (&self.caller, &self.server) {
            (Some((_, caller)), Some((_, server))) => {
                (caller.notification || self.caller_end.is_some()) && (!ends(server) || self.server_end.is_some())
            }
            _ => false,
        }
    }
}

struct Compare {
    report: Report,
    pairs: HashMap<Digest, Pair>,
    /// Calls by when they were last touched, so that old ones are found.
    queue: VecDeque<(u64, Digest)>,
    agent: String,
    audience: String,
    alone: Vec<Alone>,
}

/// Compares the two. `asked` is the log of the guard in front of the caller itself. `progress` is told how many entries of how many are done.
pub(crate) fn run(caller: &Path, server: &Path, asked: Option<&Path>, progress: impl Fn(u64, u64)) -> Done<Report> {
    // The caller's first: what is in it has reached the server's by the time that that is looked at, or never will.
    let mut a = Stream::open(caller)?;
    let mut b = Stream::open(server)?;
    let mut compare = Compare {
        report: Report::default(),
        pairs: HashMap::new(),
        queue: VecDeque::new(),
        agent: agent_of(&a.reader)?,
        audience: audience_of(&b.reader)?,
        alone: Vec::new(),
    };
    let total = a.checkpoint.size + b.checkpoint.size;
    let (mut a_next, mut b_next) = (a.next("the caller's log")?, b.next("the server's log")?);
    let mut steps = 0u64;
    loop {
        let time = |entry: &Option<Entry>, latest: u64| match entry {
            Some((_, body, _)) => Written::read(body).map_or(latest, |entry| entry.time()),
            None => u64::MAX,
        };
        let (at, bt) = (time(&a_next, a.latest), time(&b_next, b.latest));
        if at <= bt
            && let Some((index, body, own)) = a_next.take()
        {
            compare.caller(index, &body, own.as_deref(), &mut a, &b)?;
            a_next = a.next("the caller's log")?;
        } else if let Some((index, body, _)) = b_next.take() {
            compare.server(index, &body, &mut b)?;
            b_next = b.next("the server's log")?;
        } else {
            break;
        }
        steps += 1;
        if steps.is_multiple_of(STEP) {
            compare.settle(a.latest.min(b.latest), &a, &b, false)?;
            progress(steps, total);
        }
    }
    compare.settle(u64::MAX, &a, &b, true)?;
    let Compare { mut report, agent, audience, alone, .. } = compare;
    if let Some(asked) = asked {
        report.found.extend(own_accord::found(asked, alone)?);
    }
    Ok(Report { agent, audience, ..report })
}

/// The server's name: what its first start says.
fn audience_of(reader: &Reader) -> Done<String> {
    let mut found = None;
    reader.walk(0..STEP, |_, body, _| -> Done<()> {
        if let (None, Ok(Written::Start { audience, .. })) = (&found, Written::read(body)) {
            found = Some(audience.into_owned());
        }
        Ok(())
    })?;
    found.ok_or_else(|| "the second log is no verifier's: it does not begin with a start".into())
}

/// The caller's name: what its first context says.
fn agent_of(reader: &Reader) -> Done<String> {
    let mut found = None;
    reader.walk(0..STEP, |_, body, _| -> Done<()> {
        if let (None, Ok(Written::Context { agent, .. })) = (&found, Written::read(body)) {
            found = Some(agent.into_owned());
        }
        Ok(())
    })?;
    found.ok_or_else(|| "the first log is no caller's: it does not begin with a context".into())
}

impl Compare {
    fn pair(&mut self, call: Digest, time: u64) -> &mut Pair {
        self.queue.push_back((time, call));
        let pair = self.pairs.entry(call).or_default();
        pair.touched = pair.touched.max(time);
        if pair.time == 0 {
            pair.time = time;
        }
        pair
    }

    fn caller(&mut self, index: u64, body: &[u8], own: Option<&str>, a: &mut Stream, b: &Stream) -> Done<()> {
        let written = Written::read(body).map_err(|error| format!("entry {index} of the caller's log: {error}"))?;
        let time = written.time();
        a.latest = a.latest.max(time);
        a.first.get_or_insert(time);
        match written {
            Written::Call { attestation, audience, call, delegation, notification, params, .. }
                if audience == self.audience =>
            {
                let rests = Rests { attestation, delegation, params, notification };
                self.pair(call, time).caller = Some((index, rests));
            }
            Written::Outcome { call, result, status, .. } if self.pairs.contains_key(&call) => {
                self.pair(call, time).caller_end = Some(End { index, status, result });
            }
            Written::Receipt { call, checked: Checked::Good { .. }, audience, .. } if audience == self.audience => {
                self.receipt(index, call, own, b);
                if let Some(end) = said(index, own) {
                    self.pair(call, time).receipt = Some(end);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn server(&mut self, index: u64, body: &[u8], b: &mut Stream) -> Done<()> {
        let written = Written::read(body).map_err(|error| format!("entry {index} of the server's log: {error}"))?;
        let time = written.time();
        b.latest = b.latest.max(time);
        b.first.get_or_insert(time);
        match written {
            Written::Decision { agent, call, verdict, .. } => {
                // Other agents call this server too.
                if agent != self.agent {
                    return Ok(());
                }
                let (rests, alone) = match verdict {
                    Verdict::Allow { attestation, delegation, lineage, notification, params, .. } => {
                        (Some(Rests { attestation, delegation, params, notification }), lineage.cause.is_none())
                    }
                    Verdict::Deny { .. } => (None, false),
                };
                let pair = self.pair(call, time);
                pair.alone |= alone;
                // A copy of a call that was let through is refused, and says nothing about the call.
                if !matches!(pair.server, Some((_, Some(_)))) {
                    pair.server = Some((index, rests));
                }
            }
            Written::Outcome { call, result, status, .. } if self.pairs.contains_key(&call) => {
                self.pair(call, time).server_end = Some(End { index, status, result });
            }
            _ => {}
        }
        Ok(())
    }

    /// Holds a receipt that the caller kept against the server's log as it is now.
    fn receipt(&mut self, index: u64, call: Digest, own: Option<&str>, b: &Stream) {
        match honoured(own, b) {
            Ok(_) => self.report.receipts += 1,
            Err(what) => self.report.found.push(Found {
                difference: Difference::Receipt,
                call,
                what: what.to_string(),
                caller: Some(index),
                server: None,
            }),
        }
    }

    /// Reports on calls that nothing more can come of: those that were last touched a window ago, or at the end all.
    fn settle(&mut self, now: u64, a: &Stream, b: &Stream, end: bool) -> Done<()> {
        while let Some((time, call)) = self.queue.front().copied() {
            if !end && time.saturating_add(WINDOW) > now {
                break;
            }
            self.queue.pop_front();
            let Some(pair) = self.pairs.get(&call) else { continue };
            // Touched since, or to be ended yet, as a task may be for days.
            if !end && (pair.touched > time || (!pair.is_whole() && pair.caller.is_some() && pair.server.is_some())) {
                if pair.touched <= time {
                    self.queue.push_back((now, call));
                    if let Some(pair) = self.pairs.get_mut(&call) {
                        pair.touched = now;
                    }
                }
                continue;
            }
            if let Some(pair) = self.pairs.remove(&call) {
                self.judge(call, &pair, a, b);
            }
        }
        Ok(())
    }

    fn judge(&mut self, call: Digest, pair: &Pair, a: &Stream, b: &Stream) {
        let report = &mut self.report;
        let mut found = Vec::new();
        let mut differs = |difference, what: String, caller, server| {
            found.push(Found { difference, call, what, caller, server });
        };
        // What the other log may not cover: before it began, and after it ends, each with what is in flight.
        let covers = |of: &Stream, time: u64| {
            of.first.is_some_and(|first| first <= time.saturating_add(SKEW * 1_000))
                && time <= of.latest.saturating_add(SKEW * 1_000)
        };
        match (&pair.caller, &pair.server) {
            (Some((index, _)), None) => {
                let answered = pair
                    .caller_end
                    .is_some_and(|end| matches!(end.status, Status::Result | Status::ToolError | Status::Cancelled));
                if pair.receipt.is_some() || (answered && covers(b, pair.time)) {
                    let what = "the call was answered, and the server's log has no decision about it";
                    differs(Difference::OnlyCaller, what.to_owned(), Some(*index), None);
                } else if answered {
                    report.outside += 1;
                } else {
                    report.unlogged += 1;
                }
            }
            (None, Some((index, rests))) => {
                if covers(a, pair.time) {
                    let how = if rests.is_some() { "let through" } else { "refused" };
                    let what = format!("the server {how} a call by this agent that the caller's log does not have");
                    differs(Difference::OnlyServer, what, None, Some(*index));
                } else {
                    report.outside += 1;
                }
            }
            (Some((caller, mine)), Some((server, theirs))) => {
                report.both += 1;
                if pair.alone {
                    self.alone.push(Alone { call, time: pair.time, caller: *caller, server: *server });
                }
                match theirs {
                    None => {
                        if let Some(end) = pair.caller_end
                            && end.status == Status::Result
                        {
                            let what = "the server's log says that the call was refused, and the caller had a result";
                            differs(Difference::Refused, what.to_owned(), Some(end.index), Some(*server));
                        }
                    }
                    Some(theirs) => {
                        if mine != theirs {
                            let what = "the two entries say different things of the same call proof".to_owned();
                            differs(Difference::Entry, what, Some(*caller), Some(*server));
                        }
                        ends(pair, &mut differs, &mut report.unknown);
                    }
                }
            }
            (None, None) => {}
        }
        report.found.extend(found);
    }
}

/// Compares how a call ended.
fn ends(pair: &Pair, differs: &mut impl FnMut(Difference, String, Option<u64>, Option<u64>), unknown: &mut u64) {
    if let (Some(said), Some(server)) = (pair.receipt, pair.server_end)
        && (said.status, said.result) != (server.status, server.result)
    {
        let what = "the server's log says that the call ended otherwise than its receipt did".to_owned();
        differs(Difference::Receipt, what, Some(said.index), Some(server.index));
    }
    let (Some(caller), Some(server)) = (pair.caller_end, pair.server_end) else {
        if pair.caller_end.is_some() != pair.server_end.is_some() {
            *unknown += 1;
        }
        if let (Some(caller), None, Some((index, _))) = (pair.caller_end, pair.server_end, &pair.server)
            && matches!(caller.status, Status::Result | Status::ToolError)
        {
            let what = "the caller had an answer, and the server's log has no outcome".to_owned();
            differs(Difference::Status, what, Some(caller.index), Some(*index));
        }
        return;
    };
    let (mine, theirs) = (caller.status, server.status);
    // An answer that got lost on its way, and a server that went away.
    if mine == Status::Unknown || (theirs == Status::Unknown && mine == Status::Error) {
        *unknown += 1;
    } else if mine != theirs {
        let what = format!("it ended as {} for the caller, as {} for the server", mine.as_str(), theirs.as_str());
        differs(Difference::Status, what, Some(caller.index), Some(server.index));
    } else if caller.result != server.result {
        let what = "the caller had another result than the server gave".to_owned();
        differs(Difference::Result, what, Some(caller.index), Some(server.index));
    }
}

/// What a kept receipt says of the end of its call.
fn said(index: u64, own: Option<&str>) -> Option<End> {
    let value = json::parse(own?.as_bytes()).ok()?;
    let carried = Carried::read(&value)?;
    let token = attest_core::jws::Unverified::<receipt::Receipt>::read(carried.receipt).ok()?;
    let outcome = token.peek().outcome;
    Some(End { index, status: outcome.status, result: outcome.digest })
}

/// Whether the log as it is now is one that gave this receipt.
fn honoured(own: Option<&str>, b: &Stream) -> Done<()> {
    let text = own.ok_or("the caller's log no longer has the receipt that it names")?;
    let value = json::parse(text.as_bytes()).map_err(|_| "what the caller kept is no receipt")?;
    let carried = Carried::read(&value).ok_or("what the caller kept is no receipt")?;
    let opened = receipt::open(carried, &b.keys).map_err(|defect| format!("by this log's keys: {defect}"))?;
    let proof = TlogProof::parse(carried.proof)?;
    let (entry, checkpoint) = proof.check(&b.keys)?;
    if opened.size > b.checkpoint.size {
        let (then, now) = (opened.size, b.checkpoint.size);
        return Err(
            format!("the server's log had {then} entries then, and has {now}: it was cut or rolled back").into()
        );
    }
    if b.reader.entry(proof.index)?.as_deref() != Some(entry) {
        return Err(format!("entry {} of the server's log is another than the one that was proven", proof.index).into());
    }
    if b.reader.root(checkpoint.size)? != checkpoint.root {
        let size = checkpoint.size;
        return Err(
            format!("the first {size} entries of the server's log are not those of the receipt's checkpoint").into()
        );
    }
    Ok(())
}

/// The proof of an entry in a log's last checkpoint, as text.
pub(crate) fn proof(log: &Path, index: u64) -> Done<String> {
    let stream = Stream::open(log)?;
    let size = stream.checkpoint.size;
    let entry = stream.reader.entry(index)?.ok_or("no such entry")?;
    let path = stream.reader.inclusion(index, size)?;
    let checkpoint = stream.reader.checkpoint()?;
    // A log that grew in between has another checkpoint; then the proof is made in that one.
    let proof = TlogProof { entry: Some(entry), index, path, checkpoint };
    match proof.check(&stream.keys) {
        Ok(_) => Ok(proof.to_text()),
        Err(_) => self::proof(log, index),
    }
}
