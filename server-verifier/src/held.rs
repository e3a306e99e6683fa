//! Requests that are held open while people are asked. `spec/approval.md`, rules 15 to 20.
//!
//! What was checked when a request came lets nothing through: whenever something may have changed, its bytes are read and judged once
//! more, whole, by the rules then in force.

mod holds;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use attest_core::digest::Digest;
use attest_core::json;
use attest_core::refusal::{Reason, Refusal};
use attest_core::verifier::Accepted;
use bytes::Bytes;
use mcp_relay::{Aside, Handling, Id, ToServer, Wait};
use tokio::time::{Instant, sleep, timeout};

use crate::admission::{Admission, refuse};
use crate::gate::Gate;
use crate::judge::{Passed, Refused};
use crate::rules::Rules;
use attest_log::clock::now;

pub(crate) use holds::{Cancelled, Holds, Owner};
use holds::{Hold, Over};
use progress::Progress;

/// Longest request that is held, in bytes. What people are asked about is shorter anyway; the rest are tokens.
const LONGEST: usize = 1 << 20;
/// How often it is looked whether people left something.
const LOOK: Duration = Duration::from_millis(500);
/// How often a request is judged again though nobody said anything: so rules that changed, and times that ran out, are noticed.
const AGAIN: Duration = Duration::from_secs(5);

/// A request on hold.
pub(crate) struct Held {
    admission: Admission,
    id: Id,
    line: Bytes,
    progress: Progress,
    hold: Hold,
    began: Instant,
    /// For how long its own proof is good.
    good: Duration,
}

/// A request that came as `line` and was refused: held where people are all that is missing, and otherwise told so.
pub(crate) fn hold(
    admission: Admission,
    owner: &Owner,
    line: Bytes,
    rules: Arc<Rules>,
    accepted: &Accepted,
    refused: Refused,
) -> Handling<ToServer> {
    let good = good_for(&rules, accepted);
    let id = admission.id().cloned();
    let may = refused.pending.is_some() && most(&rules, good).is_some() && line.len() <= LONGEST;
    if let Some(id) = id.clone().filter(|_| may) {
        match admission.gate.holds.begin((owner.clone(), id.clone()), &accepted.caller.agent) {
            Some(hold) => {
                let progress = Progress::of(&line);
                let held = Held { admission, id, line, progress, hold, began: Instant::now(), good };
                return Handling::Now(ToServer::Waits(Wait::new(move |aside| held.wait(rules, refused, aside))));
            }
            None => tracing::warn!("too many requests are held open; one that needs people is refused at once"),
        }
    }
    let gate = admission.gate.clone();
    // Its id is free again.
    drop(admission);
    let Refused { refusal, facts, .. } = refused;
    Handling::later(async move { refuse(&gate, &rules, id.as_ref(), &refusal, facts).await })
}

/// For how long the call's proof is good. Past that no approval would help this request.
fn good_for(rules: &Rules, accepted: &Accepted) -> Duration {
    let end = accepted.proof.expires.saturating_add(rules.verifier.trust().skew());
    // A second less, so that the last look still finds it good.
    Duration::from_secs(end.saturating_sub(now()).saturating_sub(1))
}

/// For how long a request is held under these rules; `None` for not at all.
fn most(rules: &Rules, good: Duration) -> Option<Duration> {
    let hold = rules.judging.as_ref()?.hold?;
    Some(hold.min(good)).filter(|most| !most.is_zero())
}

impl Held {
    async fn wait(mut self, mut rules: Arc<Rules>, mut refused: Refused, aside: Aside) -> ToServer {
        loop {
            // Held no longer where the rules do not hold requests any more.
            let left = most(&rules, self.good).and_then(|most| most.checked_sub(self.began.elapsed()));
            let (Some(pending), Some(left)) = (&refused.pending, left) else {
                return self.refuse(&rules, refused).await;
            };
            self.progress.tell(&aside, pending);
            let over = tokio::select! {
                biased;
                over = self.hold.over() => Some(over),
                () = aside.left() => Some(Over::Left),
                () = self.news(pending.request, left) => None,
            };
            if let Some(over) = over {
                return self.give_up(&rules, refused, over).await;
            }
            let (gate, line) = (self.admission.gate.clone(), self.line.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let rules = gate.rules();
                let look = look(&gate, &rules, &line);
                (rules, look)
            });
            // A look that was not made lets nothing through.
            let Ok((then, look)) = looked.await else { return self.refuse(&rules, refused).await };
            rules = then;
            match look {
                Ok(goes) => return self.go_on(rules, *goes, refused).await,
                Err(not) => refused = *not,
            }
        }
    }

    /// Until people may have said something, or it is time to look again.
    async fn news(&self, request: Digest, left: Duration) {
        let changed = async {
            loop {
                sleep(LOOK).await;
                let gate = self.admission.gate.clone();
                if tokio::task::spawn_blocking(move || gate.desk.has_changed(request)).await.unwrap_or(true) {
                    return;
                }
            }
        };
        let _ = timeout(left.min(AGAIN), changed).await;
    }

    async fn go_on(self, rules: Arc<Rules>, goes: (Accepted, Passed), refused: Refused) -> ToServer {
        let (accepted, passed) = goes;
        // From here on it counts as sent: a cancellation goes to the server, behind it.
        if let Err(over) = self.hold.goes_on() {
            return self.give_up(&rules, refused, over).await;
        }
        let handling = match json::parse(&self.line) {
            Ok(message) => self.admission.go_on(rules, accepted, passed, &message),
            // It was read before.
            Err(_) => return ToServer::Drop,
        };
        handling.known().await
    }

    async fn refuse(self, rules: &Rules, refused: Refused) -> ToServer {
        let Refused { refusal, facts, .. } = refused;
        refuse(&self.admission.gate, rules, Some(&self.id), &refusal, facts).await
    }

    /// It is written down in any case; who took the request back gets no answer.
    async fn give_up(self, rules: &Rules, refused: Refused, over: Over) -> ToServer {
        let refused = self.refuse(rules, refused).await;
        if over == Over::Cancelled { ToServer::Drop } else { refused }
    }
}

/// Reads and judges a request as if it came now.
fn look(gate: &Gate, rules: &Rules, line: &[u8]) -> Result<Box<(Accepted, Passed)>, Box<Refused>> {
    let not = |refusal: Refusal| Box::new(refusal.into());
    let message = json::parse(line).map_err(|error| not(error.into()))?;
    // What needed a proof is not let through for needing none any more.
    let call = gate.call(rules, &message).map_err(not)?.ok_or_else(|| not(Reason::BadRequest.into()))?;
    let accepted = gate.check(rules, &call).map_err(not)?;
    match gate.judge(rules, &call, &accepted) {
        Ok(passed) => Ok(Box::new((accepted, passed))),
        Err(refused) => Err(Box::new(refused)),
    }
}
