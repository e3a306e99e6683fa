//! What a context has seen, as labels: it only grows, over all servers of the agent. `spec/labels.md`, *Contexts*.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::b64;
use attest_core::cause::Cause;
use attest_core::declassification::Declassification;
use attest_core::digest::{Digest, Salt};
use attest_core::json::{self, Value};
use attest_core::jwk::Thumbprint;
use attest_core::jws::Unverified;
use attest_core::labels::{Labels, UNTRUSTED};
use attest_core::limits::{MAX_DECLASSIFICATIONS, MAX_SHOWN};
use attest_core::receipt::Receipt;
use attest_core::request::Call;
use serde::{Deserialize, Serialize};

/// `[flow]` in `agent.toml`: this agent's signer keeps what its contexts have seen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowTable {
    /// The folder in which declassifications are left for this agent.
    pub declassified: Option<PathBuf>,
    /// Where the guard in front of this agent says which call is open (`[open_calls]` in its `guard.toml`): the cause of calls of which the
    /// program says none.
    pub open_calls: Option<PathBuf>,
}

impl FlowTable {
    pub(crate) fn within(self, folder: &Path) -> Self {
        let within = |path: PathBuf| folder.join(path);
        Self { declassified: self.declassified.map(within), open_calls: self.open_calls.map(within) }
    }
}

/// What was seen: labels, and receipts that show labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Besides those of the receipts.
    labels: Labels,
    /// One for each set of labels that no other holds.
    receipts: Vec<(Digest, Arc<str>, Labels)>,
}

/// What was just seen, on the way from a wrap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saw {
    /// Labels that no receipt shows.
    labels: Vec<String>,
    /// Receipts.
    receipts: Vec<String>,
}

impl Saw {
    /// What no server vouches for: the labels that are configured for the server, and that nobody knows where it comes from.
    pub(crate) fn unvouched(defaults: &Labels) -> Self {
        let labels = Labels::one(UNTRUSTED).unwrap_or(Labels::Every).and(defaults);
        Self { labels: labels.iter().map(str::to_owned).collect(), receipts: Vec::new() }
    }

    /// A receipt that holds.
    pub(crate) fn receipt(text: &str) -> Self {
        Self { labels: Vec::new(), receipts: vec![text.to_owned()] }
    }

    /// Both.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.labels.extend(other.labels);
        self.receipts.extend(other.receipts);
        self
    }

    /// Whether it is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.receipts.is_empty()
    }
}

impl Seen {
    /// Adds what was seen; whether that changed anything. What cannot be read counts as everything.
    pub(crate) fn add(&mut self, saw: &Saw) -> bool {
        let mut changed = self.add_labels(&Labels::of(&saw.labels).unwrap_or(Labels::Every));
        for text in &saw.receipts {
            match Unverified::<Receipt>::read(text) {
                Ok(receipt) => changed |= self.add_receipt(text, &receipt.peek().labels),
                Err(_) => changed |= self.add_labels(&Labels::Every),
            }
        }
        changed
    }

    fn add_labels(&mut self, labels: &Labels) -> bool {
        if labels.within(&self.labels) {
            return false;
        }
        self.labels = std::mem::take(&mut self.labels).and(labels);
        true
    }

    fn add_receipt(&mut self, text: &str, labels: &Labels) -> bool {
        let known = |held: &Labels| labels.within(held);
        if known(&self.labels) || self.receipts.iter().any(|(_, _, held)| known(held)) {
            return false;
        }
        self.receipts.retain(|(_, _, held)| !held.within(labels));
        if self.receipts.len() >= MAX_SHOWN {
            return self.add_labels(labels);
        }
        self.receipts.push((Digest::of(text), text.into(), labels.clone()));
        true
    }

    /// Everything, for a signer that has not seen it.
    pub(crate) fn all(&self) -> Saw {
        Saw {
            labels: self.labels.iter().map(str::to_owned).collect(),
            receipts: self.receipts.iter().map(|(_, text, _)| (**text).to_owned()).collect(),
        }
    }
}

/// What every call of a context shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub labels: Labels,
    /// The same with those of the receipts.
    pub all: Labels,
    pub receipts: Vec<(Digest, Arc<str>)>,
}

impl Shown {
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.receipts.is_empty()
    }
}

/// A context.
#[derive(Debug, Default)]
pub(crate) struct Context(Mutex<(Seen, Arc<Shown>)>);

impl Context {
    /// It saw something.
    pub(crate) fn saw(&self, saw: &Saw) {
        self.change(|seen| seen.add(saw));
    }

    /// It works on somebody's behalf: what he had seen may stand in what he asks for.
    pub(crate) fn works_for(&self, cause: &str) {
        let labels = Unverified::<Cause>::read(cause).map_or(Labels::Every, |cause| cause.peek().labels.clone());
        self.change(|seen| seen.add_labels(&labels));
    }

    /// What the next call shows.
    pub(crate) fn shown(&self) -> Arc<Shown> {
        self.lock().1.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Seen) -> bool) {
        let mut context = self.lock();
        let (seen, shown) = &mut *context;
        if change(seen) {
            let receipts = seen.receipts.iter().map(|(hash, text, _)| (*hash, text.clone())).collect();
            let all = seen.receipts.iter().fold(seen.labels.clone(), |all, (_, _, labels)| all.and(labels));
            *shown = Arc::new(Shown { labels: seen.labels.clone(), all, receipts });
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Seen, Arc<Shown>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The declassifications in `folder` that are made out to this call.
pub(crate) fn declassified(
    folder: &Path,
    call: &Call<'_, '_>,
    audience: &str,
    key: &Thumbprint,
    now: u64,
) -> Vec<(Salt, Arc<str>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let params = call.canonical_params();
    let fits = |path: PathBuf| {
        let bytes = std::fs::read(path).ok()?;
        let (salt, token) = read(&bytes)?;
        let read = Unverified::<Declassification>::read(&token).ok()?;
        let of = read.peek();
        let ours = of.once.audience == audience
            && Some(&*of.once.tool) == call.tool()
            && of.once.key == *key
            && of.once.expires > now;
        (ours && of.once.params == Digest::salted(&salt, &params)).then_some((salt, token))
    };
    let mut names: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    names.sort_unstable();
    names.into_iter().filter_map(fits).take(MAX_DECLASSIFICATIONS).collect()
}

/// A declassification's file: `{"salt":…,"token":…}`.
fn read(bytes: &[u8]) -> Option<(Salt, Arc<str>)> {
    let value = json::parse(bytes).ok()?;
    let object = value.as_object().filter(|object| object.len() == 2)?;
    let text = |name| object.get(name).and_then(Value::as_str);
    Some((Salt(b64::decode_exact(text("salt")?)?), text("token")?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str]) -> Labels {
        Labels::of(texts).unwrap_or(Labels::Every)
    }

    #[test]
    fn a_context_keeps_one_receipt_for_each_set_of_labels_that_no_other_holds_and_forgets_nothing() {
        let mut seen = Seen::default();
        assert!(seen.add_receipt("a", &labels(&["a"])) && !seen.add_receipt("again", &labels(&["a"])));
        assert!(seen.add_receipt("b", &labels(&["b"])) && seen.receipts.len() == 2);
        assert!(seen.add_receipt("ab", &labels(&["a", "b"])), "it holds both");
        assert_eq!(seen.receipts.len(), 1);
        for n in 0..=MAX_SHOWN {
            seen.add_receipt(&format!("{n}"), &labels(&[&format!("l{n}")]));
        }
        assert_eq!(seen.receipts.len(), MAX_SHOWN);
        assert!(labels(&[&format!("l{MAX_SHOWN}")]).within(&seen.labels), "what there is no room to show is claimed");
        let mut again = Seen::default();
        again.add(&Saw { labels: vec!["No Label".to_owned()], receipts: Vec::new() });
        assert_eq!(again.labels, Labels::Every, "what cannot be read counts as everything");
    }
}
