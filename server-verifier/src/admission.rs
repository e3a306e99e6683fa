//! A call that passed every check goes on: the entry, and only then the forwarded bytes.

use std::sync::{Arc, OnceLock};

use attest_core::json::Value;
use attest_core::refusal::Refusal;
use attest_core::reply;
use attest_core::verifier::Accepted;
use attest_core::watched::{About, Watched};
use mcp_relay::{Handling, Id, Place, ToServer};

use crate::attested::Attested;
use crate::gate::{Call, Gate};
use crate::guard::Open;
use crate::judge::Passed;
use crate::rules::Rules;

/// What one call needs to go on, from the moment its message came.
pub(crate) struct Admission {
    pub gate: Arc<Gate>,
    /// Told of the call, where an exchange has one.
    pub attested: Arc<OnceLock<Attested>>,
    /// Its id, which nobody else has meanwhile.
    pub place: Place<Watched<Open>>,
    pub about: Option<About>,
    /// Names the exchange to the trail.
    pub exchange: u64,
}

impl Admission {
    /// The request's id; only a notification has none.
    pub fn id(&self) -> Option<&Id> {
        self.place.id()
    }

    /// What becomes of the call. `message` is what it came as.
    pub fn go_on(
        self,
        rules: Arc<Rules>,
        accepted: Accepted,
        passed: Passed,
        message: &Value<'_>,
    ) -> Handling<ToServer> {
        let (gate, exchange, named) = (self.gate.clone(), self.exchange, accepted.caller.call);
        let admitted = Handling::later(self.admit(rules, accepted, passed));
        match gate.trail() {
            Some(trail) => trail.asked(exchange, message, Some(named), admitted),
            None => admitted,
        }
    }

    async fn admit(self, rules: Arc<Rules>, accepted: Accepted, passed: Passed) -> ToServer {
        let Self { gate, attested, place, about, .. } = self;
        let answered = place.id().is_some();
        // What can fail is done before the call counts as let through.
        let admitted = match gate.telling(&rules, &accepted).await {
            Ok(telling) => gate.admit(&rules, &accepted, passed, answered).await.map(|shown| (shown, telling)),
            Err(refusal) => Err(refusal),
        };
        match admitted {
            Ok((shown, telling)) => {
                let verdict = Attested::new(&accepted);
                let _ = attested.set(verdict.clone());
                let call = Call {
                    call: accepted.caller.call,
                    salt: accepted.salt,
                    shown,
                    labels: Arc::new(accepted.flow.labels.clone()),
                    tool: accepted.proof.tool.as_deref().map(Arc::from),
                    listed: if answered { gate.list(&telling) } else { None },
                };
                place.open(Watched::Call { call: Open { call, attested: verdict }, about });
                ToServer::Forward(telling.request.unwrap_or(accepted.forward).into())
            }
            Err(refusal) => refuse(&gate, &rules, place.id(), &refusal, None).await,
        }
    }
}

/// Writes a refusal down, with the facts that policies were asked about; says what the caller gets.
pub(crate) async fn refuse(
    gate: &Gate,
    rules: &Rules,
    id: Option<&Id>,
    refusal: &Refusal,
    facts: Option<Arc<str>>,
) -> ToServer {
    gate.refused_over(rules, refusal, facts).await;
    id.map_or(ToServer::Drop, |id| ToServer::Reply(reply::refuse(Some(&id.to_value()), refusal, rules.shape).into()))
}
