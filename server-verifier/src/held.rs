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
use mcp_relay::{Aside, Id, ToServer, Wait};
use tokio::time::{Instant, sleep, timeout};

use crate::admission::{Admission, refuse};
use crate::gate::Gate;
use crate::judge::{Passed, Refused};
use crate::rules::Rules;
use attest_log::clock::now;

use holds::Hold;
pub(crate) use holds::{Cancelled, Holds, Owner};
use progress::Progress;

/// Longest request that is held, in bytes. What people are asked about is shorter anyway; the rest are tokens.
const LONGEST: usize = 1 << 20;
/// How often the folder is looked at.
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

/// What judging it once more came to.
enum Look {
    Goes(Accepted, Passed),
    Not(Box<Refused>),
}

/// Why the wait is over without a verdict.
enum Over {
    /// The caller took the request back.
    Cancelled,
    /// Nobody waits for the answer.
    Left,
}

/// Holds a request that came as `line` and was refused because people are to be asked; gives everything back where it is not held.
pub(crate) fn hold(
    admission: Admission,
    owner: &Owner,
    line: Bytes,
    rules: Arc<Rules>,
    accepted: &Accepted,
    refused: Refused,
) -> Result<Wait, (Admission, Arc<Rules>, Refused)> {
    let good = good_for(&rules, accepted);
    let (Some(_), Some(_), Some(id), true) =
        (most(&rules, good), &refused.pending, admission.id().cloned(), line.len() <= LONGEST)
    else {
        return Err((admission, rules, refused));
    };
    let Some(hold) = admission.gate.holds.begin((owner.clone(), id.clone()), &accepted.caller.agent) else {
        tracing::warn!("too many requests are held open; one that needs people is refused at once");
        return Err((admission, rules, refused));
    };
    let progress = Progress::of(&line);
    let held = Held { admission, id, line, progress, hold, began: Instant::now(), good };
    Ok(Wait::new(move |aside| held.wait(rules, refused, aside)))
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
                () = self.hold.cancelled() => Some(Over::Cancelled),
                () = aside.left() => Some(Over::Left),
                () = self.news(pending.request, left) => None,
            };
            match over {
                Some(Over::Cancelled) => return self.drop_it(&rules, refused).await,
                Some(Over::Left) => return self.refuse(&rules, refused).await,
                None => {}
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
                Look::Goes(accepted, passed) => return self.go_on(rules, accepted, passed, refused).await,
                Look::Not(not) => refused = *not,
            }
        }
    }

    /// Until people may have said something, or it is time to look again.
    async fn news(&self, request: Digest, left: Duration) {
        let changed = async {
            loop {
                sleep(LOOK).await;
                let gate = self.admission.gate.clone();
                // A folder that cannot be looked at is judged, which says so.
                if tokio::task::spawn_blocking(move || gate.desk.has_changed(request)).await.unwrap_or(true) {
                    return;
                }
            }
        };
        let _ = timeout(left.min(AGAIN), changed).await;
    }

    async fn go_on(self, rules: Arc<Rules>, accepted: Accepted, passed: Passed, refused: Refused) -> ToServer {
        // From here on it counts as sent: a cancellation goes to the server, behind it.
        if !self.hold.goes_on() {
            return self.drop_it(&rules, refused).await;
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

    /// Nobody wants the answer; that it was asked for is written down all the same.
    async fn drop_it(self, rules: &Rules, refused: Refused) -> ToServer {
        let _ = self.refuse(rules, refused).await;
        ToServer::Drop
    }
}

/// Reads and judges a request as if it came now.
fn look(gate: &Gate, rules: &Rules, line: &[u8]) -> Look {
    let not = |refusal: Refusal| Look::Not(Box::new(refusal.into()));
    let Ok(message) = json::parse(line) else { return not(Reason::NotStrictJson.into()) };
    let call = match gate.call(rules, &message) {
        Ok(Some(call)) => call,
        // What needed a proof is not let through for needing none any more.
        Ok(None) => return not(Reason::BadRequest.into()),
        Err(refusal) => return not(refusal),
    };
    let accepted = match gate.check(rules, &call) {
        Ok(accepted) => accepted,
        Err(refusal) => return not(refusal),
    };
    match gate.judge(rules, &call, &accepted) {
        Ok(passed) => Look::Goes(accepted, passed),
        Err(refused) => Look::Not(Box::new(refused)),
    }
}
