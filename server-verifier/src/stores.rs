//! What this server's answers are labelled with, and what its stores keep.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest_core::entry::{Called, Verdict, Written};
use attest_core::json::Value;
use attest_core::labels::Labels;
use attest_log::{Place, ReadError, Reader};

use crate::config::Flow;
use crate::gate::GateError;

/// By store: the labels of everything that was written into it.
#[derive(Default)]
pub(crate) struct Stores(Mutex<BTreeMap<String, Labels>>);

impl Stores {
    /// Reads from the log what was written into the stores: every call that was let through stands there with its labels, so there is
    /// nothing else that could be lost or fall behind.
    pub(crate) fn fill(&self, flow: &Flow, log: &Place) -> Result<(), GateError> {
        if !flow.has_stores() || matches!(log, Place::File(path) if !path.exists()) {
            return Ok(());
        }
        Reader::open(log)?.walk(0..u64::MAX, |_, body, _| {
            let written = Written::read(body);
            if let Ok(Written::Decision {
                called: Called::Tool(tool), verdict: Verdict::Allow { lineage, .. }, ..
            }) = written
            {
                self.written(flow, Some(&tool), &lineage.labels);
            }
            Ok::<_, ReadError>(())
        })?;
        Ok(())
    }

    /// A call with these labels went to a tool.
    pub(crate) fn written(&self, flow: &Flow, tool: Option<&str>, labels: &Labels) {
        let Some(store) = flow.store(tool).filter(|_| !labels.is_empty()) else { return };
        let mut stores = self.lock();
        let kept = stores.entry(store.to_owned()).or_default();
        *kept = std::mem::take(kept).and(labels);
    }

    /// The labels that an answer gets here, besides those of its call.
    pub(crate) fn of_answer(&self, flow: &Flow, tool: Option<&str>, answer: Option<&Value<'_>>) -> Labels {
        let own = flow.labelling(tool).map_or(Labels::None, |labelling| labelling.of(answer));
        match flow.store(tool) {
            Some(store) => own.and(&self.lock().get(store).cloned().unwrap_or_default()),
            None => own,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Labels>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
