//! A queue and a task for each sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::alert::{Alert, Severity};
use crate::config::{Config, SinkConfig, SinksError};
use crate::otlp::Otlp;
use crate::syslog::Syslog;
use crate::webhook::Webhook;

/// Alerts that wait for one sink.
const QUEUE: usize = 256;

/// One way out.
pub(crate) enum Way {
    Stderr,
    Webhook(Box<Webhook>),
    Syslog(Box<Syslog>),
    Otlp(Box<Otlp>),
}

impl Way {
    fn new(config: &SinkConfig) -> Result<(Self, &'static str, Severity), SinksError> {
        Ok(match config {
            SinkConfig::Stderr { least } => (Self::Stderr, "stderr", *least),
            SinkConfig::Webhook { least, url, secret_file, roots } => {
                (Self::Webhook(Box::new(Webhook::new(url, secret_file, roots.as_deref())?)), "webhook", *least)
            }
            SinkConfig::Syslog { least, address } => {
                (Self::Syslog(Box::new(Syslog::new(address.clone()))), "syslog", *least)
            }
            SinkConfig::Otlp { least, url, header_file, roots } => {
                (Self::Otlp(Box::new(Otlp::new(url, header_file.as_deref(), roots.as_deref())?)), "otlp", *least)
            }
        })
    }

    async fn deliver(&mut self, alert: &Alert) -> Result<(), String> {
        match self {
            Self::Stderr => {
                crate::stderr::write(alert);
                Ok(())
            }
            Self::Webhook(webhook) => webhook.deliver(alert).await,
            Self::Syslog(syslog) => syslog.deliver(alert).await,
            Self::Otlp(otlp) => otlp.deliver(alert).await,
        }
    }
}

/// What became of the alerts for one sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `stderr`, `webhook`, `syslog` or `otlp`.
    pub sink: &'static str,
    /// Delivered.
    pub sent: u64,
    /// Not delivered, after every attempt.
    pub failed: u64,
    /// Not even tried: the queue was full.
    pub dropped: u64,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

struct Sink {
    name: &'static str,
    least: Severity,
    queue: Sender<Arc<Alert>>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

/// All sinks, running.
pub struct Sinks {
    sinks: Vec<Sink>,
}

impl Sinks {
    /// Starts a task for each. To be called inside of a Tokio runtime.
    pub fn start(config: &Config) -> Result<Self, SinksError> {
        let ways: Vec<_> = config.sink.iter().map(Way::new).collect::<Result<_, _>>()?;
        let start = |(way, name, least)| {
            let counts = Arc::new(Counts::default());
            let (queue, alerts) = channel(QUEUE);
            let task = tokio::spawn(run(way, name, alerts, Arc::clone(&counts)));
            Sink { name, least, queue, counts, task }
        };
        Ok(Self { sinks: ways.into_iter().map(start).collect() })
    }

    /// Hands an alert to every sink that wants its severity. Never waits.
    pub fn send(&self, alert: Alert) {
        let alert = Arc::new(alert);
        for sink in self.sinks.iter().filter(|sink| alert.severity >= sink.least) {
            if sink.queue.try_send(Arc::clone(&alert)).is_err() {
                let before = sink.counts.dropped.fetch_add(1, Ordering::Relaxed);
                // Said at powers of two, or a flood of alerts would be a flood of lines.
                if (before + 1).is_power_of_two() {
                    tracing::warn!(sink = sink.name, dropped = before + 1, "alerts dropped: the sink does not keep up");
                }
            }
        }
    }

    /// What became of the alerts so far.
    pub fn status(&self) -> Vec<Status> {
        let status = |sink: &Sink| Status {
            sink: sink.name,
            sent: sink.counts.sent.load(Ordering::Relaxed),
            failed: sink.counts.failed.load(Ordering::Relaxed),
            dropped: sink.counts.dropped.load(Ordering::Relaxed),
        };
        self.sinks.iter().map(status).collect()
    }

    /// Lets the sinks deliver what waits, for at most `patience`, and ends them.
    pub async fn close(self, patience: Duration) {
        let until = tokio::time::Instant::now() + patience;
        for sink in self.sinks {
            drop(sink.queue);
            let mut task = sink.task;
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                task.abort();
                tracing::warn!(sink = sink.name, "ended with alerts undelivered");
            }
        }
    }
}

async fn run(mut way: Way, name: &'static str, mut alerts: Receiver<Arc<Alert>>, counts: Arc<Counts>) {
    while let Some(alert) = alerts.recv().await {
        match way.deliver(&alert).await {
            Ok(()) => counts.sent.fetch_add(1, Ordering::Relaxed),
            Err(why) => {
                tracing::warn!(sink = name, rule = alert.rule, "alert not delivered: {why}");
                counts.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}
