//! What a server is told of a call that was let through, and the agent that is that server.

use std::sync::Arc;

use attest_core::cause::{Cause, Told};
use attest_core::refusal::{Reason, Refusal};
use attest_core::sign::Sign as _;
use attest_core::verifier::Accepted;
use attest_log::clock::now;

use super::{Gate, refused};
use crate::open_calls::Listed;
use crate::rules::Rules;

/// Seconds for which an agent behind this guard can name a call as the cause of its own.
const CAUSE_SECONDS: u64 = 3_600;

/// What is told of a call besides the answer to it.
#[derive(Default)]
pub(crate) struct Telling {
    /// The canonical request with the member for the server behind; `None` where it is told nothing.
    pub request: Option<Vec<u8>>,
    /// That member, where the server's agent may ask for it.
    member: Option<String>,
}

impl Gate {
    /// What the server behind is to be told of a call that was let through, and the agent that is that server.
    pub(crate) async fn telling(&self, rules: &Rules, accepted: &Accepted) -> Result<Telling, Refusal> {
        if !rules.flow.tell_server && self.open_calls.is_none() {
            return Ok(Telling::default());
        }
        let now = now();
        let cause = Cause {
            audience: self.audience().to_owned(),
            call: accepted.caller.call,
            expires: now.saturating_add(CAUSE_SECONDS),
            issued_at: now,
            key: accepted.caller.key.clone(),
            labels: accepted.flow.labels.clone(),
            leaf: accepted.evidence.chain().leaf().token(),
            log: self.key.origin().to_owned(),
        };
        let key = self.key.clone();
        let signed = if key.may_wait() {
            tokio::task::spawn_blocking(move || cause.sign(&key))
                .await
                .map_err(|_| refused(accepted, Reason::LogUnavailable))?
        } else {
            cause.sign(&key)
        };
        let token = signed.map_err(|error| {
            tracing::error!("the server cannot be told of call {}: {error}", accepted.caller.call);
            refused(accepted, Reason::LogUnavailable)
        })?;
        let grant = accepted.flow.grant.iter().map(|token| &**token).collect();
        let told = Told { cause: &token, grant };
        let mut telling = Telling::default();
        if rules.flow.tell_server {
            let request = told.put(&accepted.forward).ok_or_else(|| refused(accepted, Reason::BadRequest))?;
            telling.request = Some(request);
        }
        telling.member = self.open_calls.is_some().then(|| told.to_json());
        Ok(telling)
    }

    /// The call is open from now on, for whoever asks what the server behind works on.
    pub(crate) fn list(&self, telling: &Telling) -> Option<Arc<Listed>> {
        let open = self.open_calls.as_ref()?;
        Some(Arc::new(open.calls.open(telling.member.as_deref()?)))
    }
}
