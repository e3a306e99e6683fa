//! How a call ends: its outcome in the log, and the receipt for its caller.

use std::sync::Arc;
use std::time::Duration;

use attest_core::digest::Digest;
use attest_core::entry::{Entry, Status};
use attest_core::labels::Labels;
use attest_core::receipt::Receipt;
use attest_core::response::Outcome;
use attest_core::sign::Sign as _;
use attest_core::tlog_proof::TlogProof;
use attest_log::clock::{now, now_ms};
use attest_log::{AppendError, Record};

use super::{Call, Gate};

/// Most outcomes that wait for the log's database to come back.
pub(super) const OWED: usize = 4_096;
/// How often one is tried, with what pause: an hour in all.
const OWED_TRIES: u32 = 1_800;
const OWED_PAUSE: Duration = Duration::from_secs(2);

/// A receipt with its proof, as both travel.
pub(crate) struct Made {
    pub receipt: String,
    pub proof: String,
}

impl Gate {
    /// Check 15: how a call ended. On an error the caller must be told that the outcome is not written.
    pub(crate) async fn outcome(&self, call: Digest, outcome: Outcome) -> Result<(), AppendError> {
        let entry = Entry::outcome(call, outcome.status, outcome.digest, Some(self.audience()), now_ms());
        let record = || Record { closes: Some(call.0), ..Record::new(entry.to_bytes()) };
        let written = self.log.append(record(), now()).await;
        if written == Err(AppendError::Unavailable) {
            self.owe(record());
        }
        written.map(|_| self.metrics.ended(call, outcome.status))
    }

    /// Has an outcome written when the log's database is back: its caller is told that it is not in the log, and may find
    /// it there later. What is given up here stays open until the log is opened anew.
    fn owe(&self, record: Record) {
        let Ok(place) = Arc::clone(&self.owed).try_acquire_owned() else { return };
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            for _ in 0..OWED_TRIES {
                tokio::time::sleep(OWED_PAUSE).await;
                if log.append(record.clone(), now()).await != Err(AppendError::Unavailable) {
                    break;
                }
            }
            drop(place);
        });
    }

    /// The receipt of a call, to be handed out once its outcome is durable. `None` where none is made; then its caller may
    /// refuse the answer.
    pub(crate) async fn receipt(&self, call: &Call, outcome: Outcome, labels: Labels) -> Option<Made> {
        let (key, shown) = (self.key.clone(), call.shown.as_ref()?);
        let receipt = Receipt {
            call: call.call,
            issued_at: now(),
            index: shown.index,
            labels,
            log: key.origin().to_owned(),
            policy: shown.policy,
            outcome,
        };
        let signed = if key.may_wait() {
            tokio::task::spawn_blocking(move || receipt.sign(&key)).await.ok()?
        } else {
            receipt.sign(&key)
        };
        let receipt =
            signed.inspect_err(|error| tracing::error!("call {} gets no receipt: {error}", call.call)).ok()?;
        let proof = TlogProof {
            entry: Some(shown.entry.clone()),
            index: shown.index,
            path: shown.inclusion.path.clone(),
            checkpoint: (*shown.inclusion.checkpoint).to_owned(),
        };
        Some(Made { receipt, proof: proof.to_text() })
    }

    /// Calls that will never be answered.
    pub(crate) async fn lost(&self, calls: &[Call]) {
        for call in calls {
            if let Err(error) = self.outcome(call.call, Outcome { status: Status::Unknown, digest: None }).await {
                tracing::error!("the outcome of call {} is not written: {error}", call.call);
            }
        }
    }
}
