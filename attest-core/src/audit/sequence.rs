//! The entries in their order: who writes, what is open, what was used, when.

use std::collections::{HashMap, HashSet};
use std::mem;

use super::fact::{Fact, Noted, Proof};
use super::remembered::{Ended, Seen, Serving, Used};
use super::{Fault, Finding, SKEW_MS};
use crate::checkpoint::LogKeys;
use crate::digest::{Digest, Jti};
use crate::note::Vkey;
use crate::refusal::Token;

/// A call that the log lists as open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entry that opened it.
    pub index: u64,
    /// Hash of the call proof.
    pub call: Digest,
}

/// A row of the window of used calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayRow {
    /// Thumbprint of the call key.
    pub key: Digest,
    /// The `jti`.
    pub id: Jti,
    /// Seconds since 1970 until which it is kept.
    pub until: u64,
}

impl ReplayRow {
    /// Of the parts that a log stores; none where they are no key and `jti` of a call.
    pub fn of(scope: &[u8], jti: &[u8], until: u64) -> Option<Self> {
        let key = Digest::from_b64(core::str::from_utf8(scope).ok()?)?;
        Some(Self { key, id: Jti(jti.try_into().ok()?), until })
    }
}

/// What a log holds beside its entries, as of the same moment.
#[derive(Debug, Default)]
pub struct Tables {
    /// The open calls.
    pub open: Vec<Listed>,
    /// The window of used calls, by the entry that used each. A row that is none makes a finding before.
    pub replay: HashMap<u64, ReplayRow>,
    /// Highest end of a row that was forgotten, in seconds since 1970.
    pub horizon: u64,
    /// From when on the log is known to have forgotten nothing, in seconds since 1970; 0 for always.
    pub since: u64,
    /// Entries before this one may have lost the tokens that came with them alone; 0 where none was let go.
    pub forgotten: u64,
    /// The log's keys.
    pub keys: Option<LogKeys>,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Verifier,
    Caller,
    /// A host whose servers are only watched.
    Host,
}

/// Who writes, as the last `start`, `context` or `trail` says.
enum Writer {
    /// With every configuration since it started: a call that was under way when one took effect ends under the one before.
    Verifier {
        audience: u32,
        policies: HashSet<Digest>,
        /// Whether it said that others may be at work as well.
        shared: bool,
    },
    Caller {
        agent: u32,
        context: Jti,
    },
    Host,
}

/// Numbers for a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that were let through, or signed.
    pub calls: u64,
    /// Calls that were refused, with an entry of their own.
    pub denied: u64,
    /// Outcomes.
    pub outcomes: u64,
    /// Calls without an outcome at the end.
    pub open: u64,
}

/// Goes through the facts of a log in order.
pub struct Sequence {
    tables: Tables,
    next: u64,
    side: Option<Side>,
    writer: Option<Writer>,
    open: HashMap<Digest, (u64, u32)>,
    /// Entries that are listed as open, and whether they are alerts that nobody closed.
    listed: HashMap<u64, bool>,
    ended: Ended,
    seen: Seen,
    used: Used,
    serving: Serving,
    latest: u64,
    /// What a witness saw: no later entry is dated before.
    floor: Option<(u64, u64)>,
    since: u64,
    forgotten: u64,
    keys: Vec<(Vkey, u64)>,
    counts: Counts,
}

impl Sequence {
    /// At the beginning of a log with these tables.
    pub fn new(tables: Tables) -> Self {
        Self {
            listed: tables.open.iter().map(|listed| (listed.index, false)).collect(),
            tables,
            next: 0,
            side: None,
            writer: None,
            open: HashMap::new(),
            ended: Ended::default(),
            seen: Seen::default(),
            used: Used::default(),
            serving: Serving::default(),
            latest: 0,
            floor: None,
            since: 0,
            forgotten: 0,
            keys: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The next entry. `name` translates the numbers of names, which may be those of one part of the log alone.
    pub fn next(&mut self, noted: &Noted, name: impl Fn(u32) -> u32, faults: &mut Vec<Finding>) {
        let index = self.next;
        self.next += 1;
        let mut wrong = |fault: Fault| faults.push(Finding::at(index, fault));
        let Noted { time, fact } = noted;
        if *fact == Fact::Nothing {
            return;
        }
        if time.saturating_add(SKEW_MS) < self.latest {
            wrong(Fault::TimeBack);
        }
        self.latest = self.latest.max(*time);
        if let Some((size, floor)) = self.floor
            && time.saturating_add(SKEW_MS) < floor
        {
            wrong(Fault::BeforeWitness { size });
        }
        let side = match fact {
            Fact::Start { .. }
            | Fact::Config { .. }
            | Fact::Allow { .. }
            | Fact::Deny { .. }
            | Fact::Refused { .. }
            | Fact::Accepted { .. }
            | Fact::Closed { .. }
            | Fact::Used { .. } => Some(Side::Verifier),
            Fact::Context { .. } | Fact::Call { .. } | Fact::Receipt { .. } => Some(Side::Caller),
            Fact::Trail { .. } => Some(Side::Host),
            _ => None,
        };
        if side.is_some() && self.side.is_some() && side != self.side {
            wrong(Fault::Side);
        }
        self.side = self.side.or(side);
        match fact {
            Fact::Nothing => {}
            Fact::Start { audience, policy, shared } => {
                let audience = name(*audience);
                if matches!(self.writer, Some(Writer::Verifier { audience: before, .. }) if before != audience) {
                    wrong(Fault::Context("audience"));
                }
                match &mut self.writer {
                    Some(Writer::Verifier { policies, shared: true, .. }) if *shared => {
                        policies.insert(*policy);
                    }
                    _ => {
                        let policies = HashSet::from([*policy]);
                        self.writer = Some(Writer::Verifier { audience, policies, shared: *shared });
                        self.all_ended(faults);
                    }
                }
            }
            Fact::Config { audience, policy } => {
                self.of_the_verifier(name(*audience), None, &mut wrong);
                if let Some(Writer::Verifier { policies, .. }) = &mut self.writer {
                    policies.insert(*policy);
                }
            }
            Fact::Context { agent, context } => {
                let agent = name(*agent);
                if matches!(self.writer, Some(Writer::Caller { agent: before, .. }) if before != agent) {
                    wrong(Fault::Context("agent"));
                }
                self.writer = Some(Writer::Caller { agent, context: *context });
                self.all_ended(faults);
            }
            Fact::Allow { call, audience, policy, declassified, opens, proof } => {
                self.counts.calls += 1;
                self.of_the_verifier(name(*audience), Some(policy), &mut wrong);
                for (n, token) in declassified.iter().enumerate() {
                    if !self.serving.take(*call, *token) {
                        wrong(Fault::NotUsed(Token::Declassification(n)));
                    }
                }
                self.used(index, *time, proof.as_ref(), &mut wrong);
                self.replay_row(index, proof.as_ref(), &mut wrong);
                if *opens {
                    self.opens(index, *call, name(*audience), &mut wrong);
                }
            }
            Fact::Deny { audience, policy } => {
                self.counts.denied += 1;
                self.of_the_verifier(name(*audience), Some(policy), &mut wrong);
            }
            Fact::Refused { audience } | Fact::Accepted { audience } => {
                self.of_the_verifier(name(*audience), None, &mut wrong)
            }
            Fact::Closed { audience, alert } => {
                self.of_the_verifier(name(*audience), None, &mut wrong);
                if *alert >= index {
                    wrong(Fault::AlertAhead);
                }
                self.list(*alert, false);
            }
            Fact::Used { audience, call, token, proof } => {
                self.of_the_verifier(name(*audience), None, &mut wrong);
                self.serving.add(*call, *token, time / 1_000);
                self.used(index, *time, proof.as_ref(), &mut wrong);
                self.replay_row(index, proof.as_ref(), &mut wrong);
            }
            Fact::Call { call, audience, context, agent, opens, proof } => {
                self.counts.calls += 1;
                match &self.writer {
                    Some(Writer::Caller { context: of, .. }) if of != context => wrong(Fault::Context("context")),
                    Some(Writer::Caller { agent: of, .. }) if agent.is_some_and(|agent| name(agent) != *of) => {
                        wrong(Fault::Context("agent"));
                    }
                    Some(Writer::Caller { .. }) => {}
                    _ => wrong(Fault::NotStarted),
                }
                self.used(index, *time, proof.as_ref(), &mut wrong);
                if *opens {
                    self.opens(index, *call, name(*audience), &mut wrong);
                }
            }
            Fact::Outcome { call, audience } => {
                self.counts.outcomes += 1;
                if self.side == Some(Side::Host) {
                    wrong(Fault::Side);
                    return;
                }
                let ended = self.open.remove(call);
                if let (Some((_, of)), Some(Side::Caller)) = (ended, self.side) {
                    self.ended.add(*call, of);
                }
                match ended {
                    None => wrong(Fault::NotOpen),
                    Some((_, of)) if audience.is_some_and(|audience| name(audience) != of) => {
                        wrong(Fault::Context("audience"));
                    }
                    // A verifier knows its name; only a caller's restart does not know the server's.
                    Some(_) if audience.is_none() && self.side == Some(Side::Verifier) => {
                        wrong(Fault::Context("audience"));
                    }
                    Some(_) => {}
                }
            }
            Fact::Receipt { call, audience } => match self.ended.take(call) {
                None => wrong(Fault::ReceiptForNoCall),
                Some(of) if of != name(*audience) => wrong(Fault::Context("audience")),
                Some(_) => {}
            },
            Fact::Trail { session } => {
                self.writer = Some(Writer::Host);
                self.seen.sessions.insert(session.0);
            }
            Fact::Seen { session, opens, ends } => {
                match &self.writer {
                    None => wrong(Fault::NotStarted),
                    Some(Writer::Host) if !self.seen.sessions.contains(&session.0) => wrong(Fault::NotStarted),
                    Some(_) => {}
                }
                self.seen.take(index, session, *opens, *ends).unwrap_or_else(wrong);
            }
            Fact::Alert { last } => {
                if self.writer.is_none() {
                    wrong(Fault::NotStarted);
                }
                if *last >= index {
                    wrong(Fault::AlertAhead);
                }
                self.list(index, true);
            }
            Fact::Key(keys) => {
                let (previous, key) = &**keys;
                let fits = self.tables.keys.as_ref().is_none_or(|keys| {
                    keys.at(self.next) == Some(previous) && keys.at(self.next.saturating_add(1)) == Some(key)
                });
                if !fits {
                    wrong(Fault::Rotation);
                }
                self.keys.push((key.clone(), self.next));
            }
            Fact::Forgotten { before } => {
                if *before > index || *before <= self.forgotten {
                    wrong(Fault::ForgottenAhead);
                }
                self.forgotten = self.forgotten.max(*before);
            }
            Fact::Adopted { size } => {
                if *size != index {
                    wrong(Fault::AdoptedSize);
                }
                self.since = time / 1_000;
            }
        }
    }

    /// What stands between the entries before and those to come: witnesses saw the log at this size, the first of them at
    /// `first` and the last at `last`, in seconds since 1970.
    pub fn witnessed(&mut self, first: u64, last: u64, faults: &mut Vec<Finding>) {
        let size = self.next;
        if self.latest > last.saturating_mul(1_000).saturating_add(SKEW_MS) {
            faults.push(Finding::at(size.saturating_sub(1), Fault::AfterWitness { size }));
        }
        let first = first.saturating_mul(1_000);
        if self.floor.is_none_or(|(_, floor)| floor < first) {
            self.floor = Some((size, first));
        }
    }

    /// The end of the log.
    pub fn end(mut self, faults: &mut Vec<Finding>) -> Counts {
        self.counts.open = self.open.len() as u64;
        for Listed { index, call } in mem::take(&mut self.tables.open) {
            if self.listed.get(&index) == Some(&true) {
                continue;
            }
            match self.open.remove(&call) {
                Some((at, _)) if at == index => {}
                _ => faults.push(Finding::at(index, Fault::NotOpenListed)),
            }
        }
        self.all_ended(faults);
        let mut rows: Vec<u64> = self.tables.replay.keys().copied().collect();
        rows.sort_unstable();
        faults.extend(rows.into_iter().map(|index| Finding::at(index, Fault::ReplayRow)));
        // Only what ended before it was forgotten raises the horizon; up to there, no row of the window is missed.
        if self.tables.horizon > (self.latest / 1_000).saturating_add(super::SKEW) {
            faults.push(Finding::of_the_log(Fault::Horizon));
        }
        if self.since != self.tables.since {
            faults.push(Finding::of_the_log(Fault::Adoption));
        }
        if self.forgotten != self.tables.forgotten {
            faults.push(Finding::of_the_log(Fault::Forgotten));
        }
        if let Some(keys) = &self.tables.keys {
            // Where each key but the last was retired is where the entries say so.
            let retired = keys.all().len().saturating_sub(1);
            let listed = keys.all().iter().take(retired).map(|(_, until)| *until);
            if !listed.eq(self.keys.iter().map(|(_, since)| *since)) {
                faults.push(Finding::of_the_log(Fault::Keys));
            }
        }
        self.counts
    }

    /// An entry is an open alert, or no longer one.
    fn list(&mut self, index: u64, open: bool) {
        if let Some(listed) = self.listed.get_mut(&index) {
            *listed = open;
        }
    }

    /// Everything that was open has ended: whoever starts writes that down first.
    fn all_ended(&mut self, faults: &mut Vec<Finding>) {
        let mut left: Vec<u64> = self.open.drain().map(|(_, (index, _))| index).collect();
        left.sort_unstable();
        faults.extend(left.into_iter().map(|index| Finding::at(index, Fault::NoOutcome)));
    }

    fn of_the_verifier(&self, audience: u32, policy: Option<&Digest>, wrong: &mut impl FnMut(Fault)) {
        match &self.writer {
            Some(Writer::Verifier { audience: of, .. }) if *of != audience => wrong(Fault::Context("audience")),
            Some(Writer::Verifier { policies, .. }) if policy.is_some_and(|policy| !policies.contains(policy)) => {
                wrong(Fault::Context("policy"));
            }
            Some(Writer::Verifier { .. }) => {}
            _ => wrong(Fault::NotStarted),
        }
    }

    fn opens(&mut self, index: u64, call: Digest, audience: u32, wrong: &mut impl FnMut(Fault)) {
        if let Some((first, _)) = self.open.insert(call, (index, audience)) {
            wrong(Fault::OpenTwice { first });
        }
    }

    fn used(&mut self, index: u64, time: u64, proof: Option<&Proof>, wrong: &mut impl FnMut(Fault)) {
        let Some(proof) = proof else { return };
        if let Some(first) = self.used.take(index, time / 1_000, proof) {
            wrong(Fault::Replay { first });
        }
        if self.side == Some(Side::Verifier) && proof.issued_at < self.since {
            wrong(Fault::BeforeAdoption);
        }
    }

    fn replay_row(&mut self, index: u64, proof: Option<&Proof>, wrong: &mut impl FnMut(Fault)) {
        let row = self.tables.replay.remove(&index);
        let Some(Proof { key, id, until, .. }) = proof else { return };
        match row {
            Some(row) if row == (ReplayRow { key: *key, id: *id, until: *until }) => {}
            Some(_) => wrong(Fault::ReplayRow),
            None if *until > self.tables.horizon => wrong(Fault::ReplayRowMissing),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a verifier's log that begins, raises an alert, and goes on with `more`, and whose list of what is open has
    /// the alert.
    fn found(more: Option<Fact>) -> Vec<Finding> {
        let open = vec![Listed { index: 1, call: Digest::of("an alert's name") }];
        let mut sequence = Sequence::new(Tables { open, ..Tables::default() });
        let mut faults = Vec::new();
        let facts = [Fact::Start { audience: 0, policy: Digest::of("p"), shared: false }, Fact::Alert { last: 0 }];
        for fact in facts.into_iter().chain(more) {
            sequence.next(&Noted { time: 1_800_000_000_000, fact }, |name| name, &mut faults);
        }
        sequence.end(&mut faults);
        faults
    }

    #[test]
    fn an_alert_may_be_listed_as_open_until_it_is_closed() {
        assert_eq!(found(None), []);
        assert_eq!(found(Some(Fact::Closed { audience: 0, alert: 0 })).len(), 0, "another one was closed");
        let closed = found(Some(Fact::Closed { audience: 0, alert: 1 }));
        assert_eq!(closed, [Finding::at(1, Fault::NotOpenListed)]);
    }
}
