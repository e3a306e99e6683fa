//! The logs that are looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use attest_core::checkpoint::LogKeys;
use attest_core::trust::Trust;
use attest_forensics::Search;
use attest_log::Place;
use server_verifier::approvals::Requests;

use super::background::Background;
use crate::output;

type Failure = Box<dyn std::error::Error>;

/// How often the logs are asked for what is new, at most: no more than a person notices.
const EVERY: Duration = Duration::from_millis(300);

/// What the page is about.
pub(super) struct View {
    /// Those that could be opened, in the order of [`Search`].
    pub(super) files: Vec<PathBuf>,
    /// Where the requests of each lie that waits for people.
    pub(super) requests: Vec<Requests>,
    /// Those that could not, and why.
    pub(super) broken: Vec<(PathBuf, String)>,
    /// Whose signatures count.
    pub(super) trust: Option<Trust>,
    /// What goes on besides.
    pub(super) background: Arc<Background>,
    /// One at a time: there is one person.
    held: Mutex<Held>,
}

struct Held {
    search: Search,
    refreshed: Instant,
    trouble: Vec<Option<String>>,
}

impl View {
    /// Opens what can be opened: one log that somebody cut does not hide what the others say.
    pub(super) fn open(
        logs: &[PathBuf],
        keys: &BTreeMap<String, LogKeys>,
        trust: Option<Trust>,
    ) -> Result<Self, Failure> {
        let (mut search, mut files, mut broken) = (Search::default(), Vec::new(), Vec::new());
        let bar = output::Bar::of_entries();
        for log in logs {
            match search.add(log, |done, total| bar.show("indexed", done, total)) {
                Ok(()) => files.push(log.clone()),
                Err(error) => broken.push((log.clone(), error.to_string())),
            }
        }
        bar.clear();
        for (log, why) in &broken {
            output::remark(format!("{} is not shown: {why}", log.display()));
        }
        if files.is_empty() {
            return Err("none of the logs can be shown".into());
        }
        let pins = search.logs().map(|evidence| keys.get(evidence.origin()).cloned()).collect();
        let background = Background::begin(files.clone(), pins, trust.clone())?;
        let trouble = vec![None; files.len()];
        let held = Mutex::new(Held { search, refreshed: Instant::now(), trouble });
        let requests = files.iter().map(|log| Requests::of(&Place::from(log))).collect();
        Ok(Self { files, requests, broken, trust, background, held })
    }

    /// The logs as they are by now, and what is the matter with each of those that could not be brought up to date.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Search, &[Option<String>]) -> T) -> T {
        let held = &mut *self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.refreshed.elapsed() > EVERY {
            held.trouble.fill(None);
            for (log, error) in held.search.refresh() {
                if let Some(trouble) = held.trouble.get_mut(log) {
                    *trouble = Some(error.to_string());
                }
            }
            held.refreshed = Instant::now();
        }
        look(&held.search, &held.trouble)
    }
}
