//! The alerts that are open, and on which context: `spec/alert.md`, rules 4 to 8.
//!
//! The log holds them open as it holds calls, under 32 bytes: the first half names the context, the second rule and severity.
//! So a restart finds them again without reading the log.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest_core::alert::{Alert, Severity};
use attest_core::digest::Digest;
use attest_core::verifier::Accepted;
use attest_log::Hash;
use attest_policy::Open;
use attest_trail::Account;
use attest_watch::rules;

type Half = [u8; 16];

/// The context of alerts that are about the server, and so everybody's.
const EVERYBODY: Half = [0; 16];
/// Calls whose context is remembered. An alert about an older one is everybody's.
const CALLS: usize = 65_536;
/// Open alerts, beyond which further ones are everybody's.
const MOST: usize = 65_536;

/// The open alerts of a log.
#[derive(Default)]
pub(crate) struct OpenAlerts(Mutex<Held>);

#[derive(Default)]
struct Held {
    calls: HashMap<Digest, Half>,
    /// The same, oldest first.
    order: VecDeque<Digest>,
    open: BTreeMap<Hash, Kind>,
}

struct Kind {
    alert: Open,
    /// Where the first of them stands; `None` where nothing in the log is held open for it.
    index: Option<u64>,
    /// It is being closed, and whether another one came meanwhile.
    closing: Option<bool>,
}

impl OpenAlerts {
    /// A call is judged: those that are open on its caller's context. Alerts about the call will be of this context.
    pub(crate) fn meet(&self, accepted: &Accepted) -> BTreeSet<Open> {
        let (call, context) = (accepted.caller.call, context(accepted));
        let held = &mut *self.held();
        held.remember(call, context);
        let of = |context: Half| held.open.range(joined(context, [0; 16])..=joined(context, [0xff; 16]));
        of(EVERYBODY).chain(of(context)).map(|(_, kind)| kind.alert.clone()).collect()
    }

    /// How many kinds of alerts are open, by severity; 0 where there are none.
    pub(crate) fn count(&self) -> Vec<(Severity, u64)> {
        let mut counts: Vec<(Severity, u64)> = Severity::ALL.iter().map(|severity| (*severity, 0)).collect();
        for kind in self.held().open.values() {
            if let Some((_, count)) = counts.iter_mut().find(|(severity, _)| *severity == kind.alert.severity) {
                *count += 1;
            }
        }
        counts
    }

    /// What a log held open when it was opened: an alert at this index.
    pub(crate) fn restore(&self, opened: Hash, alert: &Alert, index: u64) {
        let kind = Kind { alert: open(alert), index: Some(index), closing: None };
        self.held().open.insert(opened, kind);
    }

    /// What the entry that closes the alert at this index closes; `None` where none is open there.
    pub(crate) fn closing(&self, index: u64) -> Option<Hash> {
        let held = &mut *self.held();
        let (hash, kind) = held.open.iter_mut().find(|(_, kind)| kind.index == Some(index))?;
        kind.closing = Some(false);
        Some(*hash)
    }

    /// The entry is in the log. Of what came while it was on its way nothing is held open in the log, so it stays open here, and nobody
    /// can close it, until the log is opened again.
    pub(crate) fn closed(&self, opened: &Hash) {
        let held = &mut *self.held();
        match held.open.get_mut(opened) {
            Some(kind) if kind.closing == Some(true) => (kind.index, kind.closing) = (None, None),
            _ => drop(held.open.remove(opened)),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn remember(&mut self, call: Digest, context: Half) {
        if self.calls.insert(call, context).is_none() {
            self.order.push_back(call);
        }
        if self.order.len() > CALLS
            && let Some(oldest) = self.order.pop_front()
        {
            self.calls.remove(&oldest);
        }
    }
}

impl Account for OpenAlerts {
    fn raised(&self, alert: &Alert) -> Option<Hash> {
        if rules::is_of_refusals(&alert.rule) {
            return None;
        }
        let held = &mut *self.held();
        let context = alert.call.and_then(|call| held.calls.get(&call).copied()).unwrap_or(EVERYBODY);
        let context = if held.open.len() < MOST { context } else { EVERYBODY };
        let hash = joined(context, half(&[alert.rule.as_bytes(), alert.severity.as_str().as_bytes()]));
        if let Some(kind) = held.open.get_mut(&hash) {
            kind.closing = kind.closing.map(|_| true);
            return None;
        }
        held.open.insert(hash, Kind { alert: open(alert), index: None, closing: None });
        Some(hash)
    }

    fn written(&self, opened: &Hash, index: u64) {
        if let Some(kind) = self.held().open.get_mut(opened) {
            kind.index = Some(index);
        }
    }
}

fn open(alert: &Alert) -> Open {
    Open { rule: alert.rule.clone(), severity: alert.severity }
}

/// The name of a caller's context: his key, and what he says of where the call belongs.
fn context(accepted: &Accepted) -> Half {
    half(&[accepted.caller.key.as_str().as_bytes(), &accepted.proof.context.0])
}

fn half(parts: &[&[u8]]) -> Half {
    let Digest(whole) = Digest::of(parts.join(&0));
    let mut half = [0; 16];
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    half
}

fn joined(context: Half, kind: Half) -> Hash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.into_iter().chain(kind)).for_each(|(to, from)| *to = from);
    hash
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
