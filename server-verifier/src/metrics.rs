//! What a guard counts, for Prometheus (or whatever reads OpenMetrics): how many, how long, how the log does.
//!
//! Names of agents, tools and servers are no labels: a caller could make as many series as he likes of them. Reasons, statuses and severities are
//! closed sets. Who did what is in the log.
//!
//! A call costs a few atomic additions and a look into a map of the calls that run, which is bounded.

pub(crate) mod serve;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attest_core::alert::Severity;
use attest_core::digest::Digest;
use attest_core::entry::Status;
use attest_core::refusal::{Caller, Reason, Refusal};
use attest_core::request::Call;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::telemetry::{Begun, Telemetry};

/// Calls whose time is taken. Of one beyond it, it is not.
const RUNNING: usize = 65_536;

/// Upper ends of the classes of times in seconds. A verdict is a matter of milliseconds, unless people are asked.
const VERDICT: [f64; 13] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0];
const OUTCOME: [f64; 12] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// Name and value.
type Label = [(&'static str, &'static str); 1];
type Decided = [(&'static str, &'static str); 2];

/// The counters of a guard.
pub(crate) struct Metrics {
    registry: Registry,
    decisions: Family<Decided, Counter>,
    outcomes: Family<Label, Counter>,
    verdict: Histogram,
    outcome: Histogram,
    running: Mutex<HashMap<Digest, Running>>,
    telemetry: Option<Telemetry>,
    spans_dropped: Gauge,
    log: LogGauges,
    alerts: Family<Label, Gauge>,
}

/// A call without an end yet.
struct Running {
    at: Instant,
    /// Where it goes to a collector too.
    begun: Option<Begun>,
}

/// How the log does. They are set when they are asked for.
#[derive(Default)]
struct LogGauges {
    entries: Gauge,
    published: Gauge,
    stopped: Gauge,
    open: Gauge,
    witnessed: Gauge,
    permits: Gauge,
}

/// What of a log is shown.
pub(crate) struct LogState {
    /// Entries that its checkpoint is over.
    pub entries: u64,
    /// When that was published, in seconds since 1970.
    pub published: u64,
    /// It takes no more entries.
    pub stopped: bool,
    /// When enough witnesses last began to cosign, in seconds since 1970, and whether calls may pass; `None` without witnesses.
    pub witness: Option<(u64, bool)>,
    /// Open alerts of each severity.
    pub alerts: Vec<(Severity, u64)>,
}

impl Metrics {
    /// At zero. `witnessed` says whether the log has witnesses: what does not exist is not shown as 0.
    pub(crate) fn new(audience: &str, witnessed: bool, telemetry: Option<Telemetry>) -> Self {
        let label = ("server".into(), audience.to_owned().into());
        let mut registry = Registry::with_prefix_and_labels("attest", std::iter::once(label));
        let metrics = Self {
            decisions: Family::default(),
            outcomes: Family::default(),
            verdict: Histogram::new(VERDICT),
            outcome: Histogram::new(OUTCOME),
            running: Mutex::default(),
            telemetry,
            spans_dropped: Gauge::default(),
            log: LogGauges::default(),
            alerts: Family::default(),
            registry: Registry::default(),
        };
        let Self { decisions, outcomes, verdict, outcome, log, alerts, .. } = &metrics;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        registry.register("decisions", "Calls and requests by verdict; refused ones by reason", decisions.clone());
        registry.register("outcomes", "Calls that ended, by how", outcomes.clone());
        registry.register("verdict_seconds", "From a call's check to its verdict in the log", verdict.clone());
        registry.register("outcome_seconds", "From a call's check to its outcome in the log", outcome.clone());
        registry.register("calls_running", "Calls that passed the checks and have no end yet", log.open.clone());
        registry.register("log_entries", "Entries that the log's checkpoint is over", log.entries.clone());
        registry.register(
            "log_checkpoint_timestamp_seconds",
            "When the log's checkpoint was published",
            log.published.clone(),
        );
        registry.register(
            "log_stopped",
            "1 where the log takes no more entries, so that no call passes",
            log.stopped.clone(),
        );
        registry.register("alerts_open", "Alerts that nobody closed, by severity", alerts.clone());
        if witnessed {
            registry.register(
                "witnessed_timestamp_seconds",
                "When enough witnesses last cosigned; 0 where they never did since the start",
                log.witnessed.clone(),
            );
            registry.register("witness_permits", "1 where calls may pass as far as witnesses go", log.permits.clone());
        }
        if metrics.telemetry.is_some() {
            let dropped = metrics.spans_dropped.clone();
            registry.register("spans_dropped", "Spans that the OTLP collector did not take, since the start", dropped);
        }
        // What has not happened yet is 0 and not absent, so that its first time is seen as a rise.
        let _ = decisions.get_or_create(&decided("allow", ""));
        for status in Status::ALL {
            let _ = outcomes.get_or_create(&[("status", status.as_str())]);
        }
        Self { registry, ..metrics }
    }

    /// A call passed the checks, that began at this moment, and its verdict is on its way.
    pub(crate) fn begun(&self, call: &Call<'_, '_>, caller: &Caller, at: Instant) {
        let begun = self.telemetry.as_ref().map(|telemetry| telemetry.begin(call, caller, at));
        let mut running = self.running();
        if running.len() < RUNNING {
            // Checked once more (after people were asked, or as a copy of itself), it began when it first came.
            running.entry(caller.call).or_insert(Running { at, begun });
        }
    }

    /// A call that began at this moment does not pass the checks.
    pub(crate) fn failed(&self, call: &Call<'_, '_>, refusal: &Refusal, at: Instant) {
        self.verdict(Some(at.elapsed()));
        // Of strangers there are no spans.
        if let (Some(telemetry), Some(caller)) = (&self.telemetry, &refusal.caller) {
            self.over(Some(telemetry.begin(call, caller, at)), "deny", Some(refusal.reason.code()));
        }
    }

    fn over(&self, begun: Option<Begun>, decision: &str, error: Option<&str>) {
        if let (Some(telemetry), Some(begun)) = (&self.telemetry, begun) {
            telemetry.end(begun, decision, error);
        }
    }

    /// Sends what waits for a collector.
    pub(crate) async fn close(&self) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.close().await;
        }
    }

    /// A call was let through.
    pub(crate) fn allowed(&self, call: Digest, answered: bool) {
        self.decisions.get_or_create(&decided("allow", "")).inc();
        if answered {
            let at = self.running().get(&call).map(|running| running.at);
            self.verdict(at.map(|at| at.elapsed()));
            return;
        }
        let running = self.running().remove(&call);
        if let Some(Running { at, begun }) = running {
            self.verdict(Some(at.elapsed()));
            self.over(begun, "allow", None);
        }
    }

    /// A call, or what was no call, is refused.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.decisions.get_or_create(&decided("deny", refusal.reason.code())).inc();
        // A copy of a call that runs does not end it.
        let caller = refusal.caller.as_ref().filter(|_| refusal.reason != Reason::Replay);
        let running = caller.and_then(|caller| self.running().remove(&caller.call));
        if let Some(Running { at, begun }) = running {
            self.verdict(Some(at.elapsed()));
            self.over(begun, "deny", Some(refusal.reason.code()));
        }
    }

    /// How long a verdict took, where that is known.
    pub(crate) fn verdict(&self, took: Option<Duration>) {
        if let Some(took) = took {
            self.verdict.observe(took.as_secs_f64());
        }
    }

    /// A call's outcome is in the log.
    pub(crate) fn ended(&self, call: Digest, status: Status) {
        self.outcomes.get_or_create(&[("status", status.as_str())]).inc();
        let running = self.running().remove(&call);
        if let Some(Running { at, begun }) = running {
            self.outcome.observe(at.elapsed().as_secs_f64());
            let error = match status {
                Status::Result => None,
                // The word of the conventions.
                Status::ToolError => Some("tool_error"),
                status => Some(status.as_str()),
            };
            self.over(begun, "allow", error);
        }
    }

    /// All of it, as OpenMetrics writes it.
    pub(crate) fn text(&self, log: &LogState) -> String {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.log.entries.set(number(log.entries));
        self.log.published.set(number(log.published));
        self.log.stopped.set(i64::from(log.stopped));
        self.log.open.set(number(self.running().len() as u64));
        if let Some((at, permits)) = log.witness {
            self.log.witnessed.set(number(at));
            self.log.permits.set(i64::from(permits));
        }
        for (severity, count) in &log.alerts {
            self.alerts.get_or_create(&[("severity", severity.as_str())]).set(number(*count));
        }
        if let Some(telemetry) = &self.telemetry {
            self.spans_dropped.set(number(telemetry.status().dropped));
        }
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Into a text there is nothing to fail.
            Err(_) => String::new(),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Digest, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decided(decision: &'static str, reason: &'static str) -> Decided {
    [("decision", decision), ("reason", reason)]
}
