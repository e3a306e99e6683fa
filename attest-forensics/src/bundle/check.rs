//! What of a bundle holds.

use std::collections::BTreeSet;

use attest_core::checkpoint::{Checkpoint, LogKeys};
use attest_core::digest::Digest;
use attest_core::entry::{Verdict, Written};
use attest_core::merkle::{check_inclusion, leaf};
use attest_core::trust::Trust;
use serde::Serialize;

use super::{Bundle, Part};
use crate::error::ForensicsError;
use crate::row::Row;
use crate::source::Source;
use crate::trace::{Signature, Traced, add_tokens};

/// What a check came to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Each log.
    pub logs: Vec<LogReport>,
    /// Calls whose tokens were looked at.
    pub calls: u64,
    /// Signatures that hold.
    pub signatures: u64,
    /// Signatures by keys that nobody pins.
    pub unpinned: u64,
    /// Texts that are what a commitment in an entry is to.
    pub disclosed: u64,
    /// What does not hold.
    pub faults: Vec<Fault>,
}

/// One log.
#[derive(Debug, Serialize)]
pub struct LogReport {
    /// Its name.
    pub origin: String,
    /// Whether somebody pins the keys that it was checked with; else they are those that it names itself.
    pub pinned: bool,
    /// Entries of its tree.
    pub size: u64,
    /// Entries that are here and in that tree.
    pub entries: u64,
}

/// Something that does not hold.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The log; empty where it is about none.
    pub log: String,
    /// The entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// What.
    pub what: String,
}

impl Bundle {
    /// Checks everything. `keys` are the pinned ones of logs, `trust` pins attesters, roots and logs too.
    pub fn check(&self, keys: &[LogKeys], trust: Option<&Trust>) -> Report {
        let mut report = Report::default();
        for part in &self.logs {
            self.part(part, keys, trust, &mut report);
        }
        let committed: BTreeSet<Digest> = self.logs.iter().flat_map(Part::commitments).collect();
        for disclosed in &self.disclosed {
            let holds = Digest::salted(&disclosed.salt, disclosed.text.as_bytes()) == disclosed.commitment;
            if holds && committed.contains(&disclosed.commitment) {
                report.disclosed += 1;
            } else {
                let what = format!(
                    "a disclosed text is not what {} is a commitment to, or no entry here has that",
                    disclosed.commitment
                );
                report.faults.push(Fault { log: String::new(), index: None, what });
            }
        }
        report
    }

    fn part(&self, part: &Part, keys: &[LogKeys], trust: Option<&Trust>, report: &mut Report) {
        let fault = |index, what: String| Fault { log: part.origin.clone(), index, what };
        let pinned = keys.iter().find(|keys| keys.origin() == part.origin);
        let pinned = pinned.or_else(|| trust.and_then(|trust| trust.log(&part.origin)));
        let (keys, pinned) = match (pinned, LogKeys::parse(&part.keys)) {
            (Some(keys), _) => (keys.clone(), true),
            (None, Ok(keys)) if keys.origin() == part.origin => (keys, false),
            (None, _) => {
                return report.faults.push(fault(None, "the keys that it names are none of its own".to_owned()));
            }
        };
        let mut log = LogReport { origin: part.origin.clone(), pinned, size: part.size, entries: 0 };
        let checkpoint = match keys.open(part.checkpoint.as_bytes()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return report.faults.push(fault(None, format!("the checkpoint does not hold: {error}"))),
        };
        for (index, (body, path)) in &part.entries {
            let Checkpoint { size, root, .. } = &checkpoint;
            if check_inclusion(&leaf(body), *index, *size, path, root).is_err() {
                report.faults.push(fault(Some(*index), "it is not in the tree of its log's checkpoint".to_owned()));
                continue;
            }
            log.entries += 1;
            let written = match Written::read(body) {
                Ok(written) => written,
                Err(error) => {
                    report.faults.push(fault(Some(*index), error.to_string()));
                    continue;
                }
            };
            for hash in written.tokens().chain(written.own_token()) {
                if !self.tokens.contains_key(&hash) {
                    report.faults.push(fault(Some(*index), format!("the token {hash} that it names is not here")));
                }
            }
            if matches!(written, Written::Decision { verdict: Verdict::Allow { .. }, .. } | Written::Call { .. }) {
                report.calls += 1;
                let mut traced = Traced::default();
                let source = PartOf { bundle: self, part, checkpoint: None };
                // A bundle reads nothing that could fail.
                let _ = add_tokens(&mut traced, &written, *index, &source, trust);
                let state = traced.state.iter().map(|state| ("the attestation", &state.signature));
                let chain = traced.chain.iter().map(|hop| ("a token of the chain", &hop.signature));
                let proof = traced.proof.iter().map(|proof| ("the call proof", &proof.signature));
                for (what, signature) in state.chain(chain).chain(proof) {
                    match signature {
                        Signature::Holds(_) => report.signatures += 1,
                        Signature::Unknown(_) => report.unpinned += 1,
                        Signature::Wrong(key) => {
                            report.faults.push(fault(Some(*index), format!("{what} is not signed by {key}")));
                        }
                    }
                }
            }
        }
        report.logs.push(log);
    }
}

impl Part {
    fn commitments(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries.iter().flat_map(|(index, (body, _))| Row::of(*index, body).commitments)
    }
}

/// Part of a log, and the bundle that has its tokens.
struct PartOf<'b> {
    bundle: &'b Bundle,
    part: &'b Part,
    /// What entries are proved under; `None` where it does not hold.
    checkpoint: Option<Checkpoint>,
}

impl<'b> PartOf<'b> {
    /// By the keys that came along.
    fn of(bundle: &'b Bundle, part: &'b Part) -> Self {
        let keys = LogKeys::parse(&part.keys).ok();
        let checkpoint = keys.and_then(|keys| keys.open(part.checkpoint.as_bytes()).ok());
        Self { bundle, part, checkpoint }
    }
}

impl Bundle {
    /// What is here of each log, to be traced. Entries are proved under the checkpoint that came with them: [`Bundle::check`] says whether that
    /// is to be believed.
    pub fn sources(&self) -> Vec<Box<dyn Source + '_>> {
        self.logs.iter().map(|part| Box::new(PartOf::of(self, part)) as Box<dyn Source>).collect()
    }

    /// The calls whose names begin with this, ascending.
    pub fn calls(&self, beginning: &str) -> Vec<Digest> {
        let all: BTreeSet<Digest> = self.logs.iter().flat_map(|part| part.about.keys().copied()).collect();
        all.into_iter().filter(|call| call.to_b64().starts_with(beginning)).collect()
    }
}

impl Source for PartOf<'_> {
    fn origin(&self) -> &str {
        &self.part.origin
    }

    fn owner(&self) -> Option<&str> {
        self.part.owner.as_deref()
    }

    fn size(&self) -> u64 {
        self.part.size
    }

    fn about(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError> {
        Ok(self.part.about.get(call).into_iter().flatten().copied().collect())
    }

    fn led_to(&self, call: &Digest) -> Result<Vec<u64>, ForensicsError> {
        Ok(self.part.led_to.get(call).into_iter().flatten().copied().collect())
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, ForensicsError> {
        let not = || ForensicsError::NotProved { log: self.part.origin.clone().into(), index };
        let checkpoint = self.checkpoint.as_ref().ok_or_else(not)?;
        let (body, path) = self.part.entries.get(&index).ok_or_else(not)?;
        check_inclusion(&leaf(body), index, checkpoint.size, path, &checkpoint.root).map_err(|_| not())?;
        Ok(body.clone())
    }

    fn token(&self, hash: &Digest) -> Result<Option<String>, ForensicsError> {
        Ok(self.bundle.tokens.get(hash).cloned())
    }

    fn own_token(&self, _: u64, hash: &Digest) -> Result<Option<String>, ForensicsError> {
        self.token(hash)
    }
}
