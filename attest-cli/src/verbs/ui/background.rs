//! What takes longer than a person waits: the logs verified whole, and the states of agents followed from the beginning on.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attest_core::audit::Finding;
use attest_core::checkpoint::LogKeys;
use attest_core::trust::Trust;
use attest_forensics::timeline::{Moment, Past};
use attest_forensics::{Evidence, Timeline};
use attest_log::Place;
use attest_log::clock::now_ms;
use serde::Serialize;

use crate::audit::{self, Ask};

/// Changes that are remembered, the latest.
const CHANGES: usize = 1_000;
/// How often it is looked for new ones.
const LOOK: Duration = Duration::from_secs(2);
/// After something went wrong.
const AGAIN: Duration = Duration::from_secs(30);
/// A log is verified again when it has grown, and not before this.
const REST: Duration = Duration::from_secs(60);
/// Nor before this many times what it took: then it costs at most a twentieth of a core.
const SHARE: u32 = 20;
/// Findings that are shown.
const SHOWN: usize = 20;

/// What goes on besides.
pub(super) struct Background {
    files: Vec<PathBuf>,
    pins: Vec<Option<LogKeys>>,
    trust: Option<Trust>,
    state: Mutex<State>,
}

/// What came of it so far.
#[derive(Default)]
pub(super) struct State {
    /// Changes of agents' states, and what people accepted of them, the latest last.
    pub(super) changes: VecDeque<Moment>,
    /// Whether all entries were looked at.
    pub(super) followed: bool,
    /// Why not.
    pub(super) trouble: Option<String>,
    /// Of each log.
    pub(super) checks: Vec<Check>,
}

/// The verification of a log.
#[derive(Clone, Default, Serialize)]
pub(super) struct Check {
    /// Whether somebody pinned its keys.
    pub(super) pinned: bool,
    /// Entries that are done, and how many there are, where one is going on.
    running: Option<(u64, u64)>,
    /// What the last one came to.
    last: Option<Checked>,
    /// Why there is none.
    failed: Option<String>,
}

#[derive(Clone, Serialize)]
struct Checked {
    /// Milliseconds since 1970.
    time: u64,
    milliseconds: u128,
    /// `whole`, `not pinned` or `wrong`, as `attest log verify` says it.
    verdict: &'static str,
    entries: u64,
    signatures: u64,
    unchecked: u64,
    open: u64,
    cosigned: usize,
    faults: u64,
    findings: Vec<String>,
}

impl Background {
    pub(super) fn begin(
        files: Vec<PathBuf>,
        pins: Vec<Option<LogKeys>>,
        trust: Option<Trust>,
    ) -> std::io::Result<Arc<Self>> {
        let checks = pins.iter().map(|pin| Check { pinned: pin.is_some(), ..Check::default() }).collect();
        let state = Mutex::new(State { checks, ..State::default() });
        let background = Arc::new(Self { files, pins, trust, state });
        let (follows, verifies) = (Arc::clone(&background), Arc::clone(&background));
        std::thread::Builder::new().name("states".to_owned()).spawn(move || follows.follow())?;
        std::thread::Builder::new().name("verify".to_owned()).spawn(move || verifies.verify())?;
        Ok(background)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self) {
        let (mut past, mut sizes) = (Past::default(), Vec::new());
        loop {
            let wait = match self.step(&mut past, &mut sizes) {
                Ok(()) => {
                    let state = &mut *self.state();
                    (state.followed, state.trouble) = (true, None);
                    LOOK
                }
                Err(error) => {
                    (past, sizes) = (Past::default(), Vec::new());
                    let state = &mut *self.state();
                    state.changes.clear();
                    (state.followed, state.trouble) = (false, Some(error.to_string()));
                    AGAIN
                }
            };
            std::thread::sleep(wait);
        }
    }

    fn step(&self, past: &mut Past, sizes: &mut Vec<u64>) -> Result<(), Box<dyn std::error::Error>> {
        let logs = self.files.iter().map(|log| Evidence::open(log)).collect::<Result<Vec<_>, _>>()?;
        let now: Vec<u64> = logs.iter().map(Evidence::size).collect();
        if now == *sizes {
            return Ok(());
        }
        if let Some((log, _)) = self.files.iter().zip(now.iter().zip(&*sizes)).find(|(_, (now, before))| now < before) {
            return Err(format!("{} is shorter than it was", log.display()).into());
        }
        let mut timeline = Timeline::after(std::mem::take(past), &logs);
        while let Some(moment) = timeline.step()? {
            if moment.changed.is_empty() && !["accepted", "seen:state"].contains(&moment.row.kind) {
                continue;
            }
            // A timeline reads on without proofs.
            if let Some(evidence) = logs.get(moment.log) {
                evidence.entry(moment.row.index)?;
            }
            let changes = &mut self.state().changes;
            changes.push_back(moment);
            if changes.len() > CHANGES {
                changes.pop_front();
            }
        }
        (*past, *sizes) = (timeline.past(), now);
        Ok(())
    }

    fn verify(&self) {
        let mut due: Vec<(Instant, Option<u64>)> = vec![(Instant::now(), None); self.files.len()];
        loop {
            for (n, ((log, pinned), (at, size))) in self.files.iter().zip(&self.pins).zip(&mut due).enumerate() {
                if Instant::now() < *at || size.is_some_and(|size| !has_grown(log, size)) {
                    continue;
                }
                let begun = Instant::now();
                let trust = self.trust.as_ref();
                let ask = Ask { log: &Place::from(log), pinned: pinned.as_ref(), policy: None, trust, threads: 1 };
                let report = audit::run(&ask, |done, total| self.told(n, |check| check.running = Some((done, total))));
                *at = Instant::now() + REST.max(begun.elapsed() * SHARE);
                *size = report.as_ref().ok().map(|report| report.entries);
                self.told(n, |check| {
                    check.running = None;
                    match report {
                        Ok(report) => (check.last, check.failed) = (Some(checked(&report)), None),
                        Err(error) => check.failed = Some(error.to_string()),
                    }
                });
            }
            std::thread::sleep(LOOK);
        }
    }

    fn told(&self, log: usize, tell: impl FnOnce(&mut Check)) {
        if let Some(check) = self.state().checks.get_mut(log) {
            tell(check);
        }
    }
}

/// One that cannot be read has something to be looked at too.
fn has_grown(log: &std::path::Path, size: u64) -> bool {
    !attest_log::Reader::open(log).is_ok_and(|reader| reader.len().is_ok_and(|len| len == size))
}

fn checked(report: &audit::Report) -> Checked {
    let said = |finding: &Finding| {
        let place = finding.index.map_or("the log".to_owned(), |index| format!("entry {index}"));
        format!("{place}: {} ({})", finding.fault, finding.fault.check())
    };
    Checked {
        time: now_ms(),
        milliseconds: report.elapsed.as_millis(),
        verdict: match (report.findings.is_empty(), report.pinned) {
            (false, _) => "wrong",
            (true, false) => "not pinned",
            (true, true) => "whole",
        },
        entries: report.entries,
        signatures: report.signatures,
        unchecked: report.unchecked,
        open: report.counts.open,
        cosigned: report.cosigned,
        faults: report.findings.len() as u64 + report.more,
        findings: report.findings.iter().take(SHOWN).map(said).collect(),
    }
}
