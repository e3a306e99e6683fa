//! How long operations took, to an OTLP collector over HTTP: one histogram, cumulative since the start.
//!
//! Measured beside the call and sent every so often. What a collector does not take is sent with the next: nothing is lost but its time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::SinksError;
use crate::otlp::Otlp;

/// Between two requests.
const EVERY: Duration = Duration::from_secs(15);
/// Upper ends of the classes in seconds, as OpenTelemetry's conventions for MCP have them for durations of operations.
const BOUNDS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Series. What is beyond is counted in one that says so.
const MOST: usize = 200;
/// The attribute of that one, as SDKs of OpenTelemetry name it.
const OVERFLOW: (&str, &str) = ("otel.metric.overflow", "true");

/// What is known of an operation; closed sets of words, as each makes a series.
pub type Attributes = Vec<(&'static str, String)>;

#[derive(Clone, Default)]
struct Series {
    classes: [u64; BOUNDS.len() + 1],
    sum: f64,
}

#[derive(Default)]
struct Held {
    series: BTreeMap<Attributes, Series>,
    /// Whether anything was measured since the last request that was taken.
    changed: bool,
}

/// The histogram, and the way to a collector.
pub struct Durations {
    held: Arc<Mutex<Held>>,
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What the histogram is called.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Of the metric.
    pub name: &'static str,
    /// In words.
    pub description: &'static str,
    /// Of the instrumentation scope.
    pub scope: &'static str,
}

impl Durations {
    /// Starts the task that sends; `url` is that of the collector, without `/v1/metrics`. To be called inside of a Tokio runtime.
    ///
    /// # Errors
    /// [`SinksError`]: no URL, or a secret that cannot be read.
    pub fn start(
        named: Named,
        url: &str,
        header_file: Option<&Path>,
        roots: Option<&Path>,
    ) -> Result<Self, SinksError> {
        let otlp = Otlp::new(&format!("{}/v1/metrics", url.trim_end_matches('/')), header_file, roots)?;
        let held: Arc<Mutex<Held>> = Arc::default();
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(run(otlp, named, held.clone(), ended));
        Ok(Self { held, end, task })
    }

    /// One more operation. Never waits.
    pub fn record(&self, attributes: Attributes, took: Duration) {
        let mut held = locked(&self.held);
        let known = held.series.contains_key(&attributes) || held.series.len() < MOST;
        let attributes = if known { attributes } else { vec![(OVERFLOW.0, OVERFLOW.1.to_owned())] };
        let series = held.series.entry(attributes).or_default();
        let seconds = took.as_secs_f64();
        let class = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = series.classes.get_mut(class) {
            *count += 1;
        }
        series.sum += seconds;
        held.changed = true;
    }

    /// Sends what is new, for at most `patience`, and ends.
    pub async fn close(self, patience: Duration) {
        let Self { end, mut task, .. } = self;
        drop(end);
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
        }
    }
}

fn locked(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(otlp: Otlp, named: Named, held: Arc<Mutex<Held>>, mut ended: oneshot::Receiver<()>) {
    let start = now();
    loop {
        let last = tokio::time::timeout(EVERY, &mut ended).await.is_ok();
        let body = {
            let mut held = locked(&held);
            std::mem::take(&mut held.changed).then(|| body(named, &held.series, (start, now())).to_string())
        };
        if let Some(body) = body
            && let Err(why) = otlp.post(body).await
        {
            tracing::debug!("durations not taken: {why}");
            locked(&held).changed = true;
        }
        if last {
            return;
        }
    }
}

fn body(named: Named, series: &BTreeMap<Attributes, Series>, (start, now): (u64, u64)) -> Value {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let point = |(attributes, series): (&Attributes, &Series)| {
        let count: u64 = series.classes.iter().sum();
        json!({
            // Times are strings, as this encoding has numbers of 64 bits.
            "startTimeUnixNano": start.to_string(),
            "timeUnixNano": now.to_string(),
            // Counts are numbers: everybody reads them, and older releases of opentelemetry-proto drop a histogram where they are strings.
            "count": count,
            "sum": series.sum,
            "bucketCounts": series.classes,
            "explicitBounds": BOUNDS,
            "attributes": attributes.iter().map(|(key, value)| text(key, value)).collect::<Vec<_>>(),
        })
    };
    json!({"resourceMetrics": [{
        "resource": {"attributes": [text("service.name", "attest")]},
        "scopeMetrics": [{
            "scope": {"name": named.scope, "version": env!("CARGO_PKG_VERSION")},
            "metrics": [{
                "name": named.name,
                "description": named.description,
                "unit": "s",
                "histogram": {
                    // AGGREGATION_TEMPORALITY_CUMULATIVE.
                    "aggregationTemporality": 2,
                    "dataPoints": series.iter().map(point).collect::<Vec<_>>(),
                },
            }],
        }],
    }]})
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
