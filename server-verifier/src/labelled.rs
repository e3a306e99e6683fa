//! What this server's answers are labelled with, and what its stores keep.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest_core::entry::{Called, Verdict, Written};
use attest_core::json::Value;
use attest_core::labels::Labels;
use attest_log::{ReadError, Reader};

use crate::config::Flow;
use crate::gate::GateError;

/// The labels of this server.
pub(crate) struct Labelled {
    flow: Flow,
    /// By store: the labels of everything that was written into it.
    stores: Mutex<BTreeMap<String, Labels>>,
}

impl Labelled {
    /// Reads from the log what was written into the stores: every call that was let through stands there with its labels, so there is
    /// nothing else that could be lost or fall behind.
    pub(crate) fn open(flow: Flow, log: &Path) -> Result<Self, GateError> {
        let labelled = Self { flow, stores: Mutex::default() };
        if labelled.flow.has_stores() {
            Reader::open(log)?.walk(0..u64::MAX, |_, body, _| {
                if let Ok(Written::Decision {
                    called: Called::Tool(tool),
                    verdict: Verdict::Allow { lineage, .. },
                    ..
                }) = Written::read(body)
                {
                    labelled.written(Some(&tool), &lineage.labels);
                }
                Ok::<_, ReadError>(())
            })?;
        }
        Ok(labelled)
    }

    pub(crate) fn tells_server(&self) -> bool {
        self.flow.tell_server
    }

    /// A call with these labels went to a tool.
    pub(crate) fn written(&self, tool: Option<&str>, labels: &Labels) {
        let Some(store) = self.flow.store(tool).filter(|_| !labels.is_empty()) else { return };
        let mut stores = self.stores();
        let kept = stores.entry(store.to_owned()).or_default();
        *kept = std::mem::take(kept).and(labels);
    }

    /// The labels that an answer gets here, besides those of its call.
    pub(crate) fn of_answer(&self, tool: Option<&str>, answer: Option<&Value<'_>>) -> Labels {
        let own = self.flow.labelling(tool).map_or(Labels::None, |labelling| labelling.of(answer));
        match self.flow.store(tool) {
            Some(store) => own.and(&self.stores().get(store).cloned().unwrap_or_default()),
            None => own,
        }
    }

    fn stores(&self) -> MutexGuard<'_, BTreeMap<String, Labels>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
