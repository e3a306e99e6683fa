//! Spans of calls to an OTLP collector over HTTP, in OTLP's JSON encoding, as alerts go.
//!
//! A span is told about a call that is over: nobody waits for it. What does not fit the queue, or is not taken, is dropped and counted.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::config::SinksError;
use crate::otlp::Otlp;

/// Spans that wait.
const QUEUE: usize = 4_096;
/// Spans of one request.
const BATCH: usize = 256;
/// How long spans are gathered for one request.
const GATHER: Duration = Duration::from_millis(500);

/// The place of a call in a trace (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: [u8; 16],
    /// The span that this one is part of; `None` for the first of a trace.
    pub parent: Option<[u8; 8]>,
}

impl Context {
    /// Reads a `traceparent`, version 00. `Err` where the caller says that the trace is not recorded; `Ok(None)` where the text is none.
    ///
    /// # Errors
    /// [`NotSampled`].
    pub fn read(text: &str) -> Result<Option<Self>, NotSampled> {
        let Some(rest) = text.strip_prefix("00-").filter(|rest| rest.len() == 52 && rest.is_ascii()) else {
            return Ok(None);
        };
        let mut parts = rest.split('-');
        let (Some(trace), Some(parent), Some(flags), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        let (Some(trace), Some(parent), Some([flags])) = (hex(trace), hex(parent), hex::<1>(flags)) else {
            return Ok(None);
        };
        if trace == [0; 16] || parent == [0; 8] {
            return Ok(None);
        }
        if flags & 1 == 0 { Err(NotSampled) } else { Ok(Some(Self { trace, parent: Some(parent) })) }
    }
}

/// The caller does not record this trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSampled;

/// Digits as the specification has them: in lower case.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// A call that is over.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it belongs.
    pub context: Context,
    /// Its own name in the trace.
    pub id: [u8; 8],
    /// What is shown of it.
    pub name: String,
    /// When it began and ended, in nanoseconds since 1970.
    pub time: (u64, u64),
    /// What is known of it.
    pub attributes: Vec<(&'static str, String)>,
    /// Why it failed, if it did: one word.
    pub error: Option<String>,
}

/// What became of the spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanStatus {
    /// Taken by the collector.
    pub sent: u64,
    /// Not taken, or not even tried because the queue was full.
    pub dropped: u64,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    fn lose(&self, many: u64) {
        let before = self.dropped.fetch_add(many, Ordering::Relaxed);
        // At powers of two, or a collector that is gone would be a flood of lines.
        if before.checked_ilog2() != before.saturating_add(many).checked_ilog2() {
            tracing::warn!(dropped = before + many, "spans dropped: the OTLP collector does not take them");
        }
    }
}

/// The way to a collector.
pub struct Spans {
    queue: Sender<Span>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Spans {
    /// Starts the task that sends; `url` is that of the collector, without `/v1/traces`. To be called inside of a Tokio runtime.
    ///
    /// # Errors
    /// [`SinksError`]: no URL, or a secret that cannot be read.
    pub fn start(url: &str, header_file: Option<&Path>, roots: Option<&Path>) -> Result<Self, SinksError> {
        let otlp = Otlp::new(&format!("{}/v1/traces", url.trim_end_matches('/')), header_file, roots)?;
        let counts = Arc::new(Counts::default());
        let (queue, spans) = channel(QUEUE);
        let task = tokio::spawn(run(otlp, spans, Arc::clone(&counts)));
        Ok(Self { queue, counts, task })
    }

    /// Hands over a span. Never waits.
    pub fn send(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.counts.lose(1);
        }
    }

    /// What became of the spans so far.
    pub fn status(&self) -> SpanStatus {
        let Counts { sent, dropped } = &*self.counts;
        SpanStatus { sent: sent.load(Ordering::Relaxed), dropped: dropped.load(Ordering::Relaxed) }
    }

    /// Sends what waits, for at most `patience`, and ends.
    pub async fn close(self, patience: Duration) {
        let Self { queue, mut task, .. } = self;
        drop(queue);
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("ended with spans unsent");
        }
    }
}

async fn run(otlp: Otlp, mut spans: Receiver<Span>, counts: Arc<Counts>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(first) = spans.recv().await {
        batch.push(first);
        let until = tokio::time::Instant::now() + GATHER;
        while batch.len() < BATCH {
            match tokio::time::timeout_at(until, spans.recv()).await {
                Ok(Some(span)) => batch.push(span),
                // Nobody sends any more, or it is time.
                Ok(None) | Err(_) => break,
            }
        }
        let many = batch.len() as u64;
        match otlp.post(body(&batch).to_string()).await {
            Ok(()) => {
                counts.sent.fetch_add(many, Ordering::Relaxed);
            }
            Err(why) => {
                tracing::debug!("spans not taken: {why}");
                counts.lose(many);
            }
        }
        batch.clear();
    }
}

fn body(batch: &[Span]) -> Value {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let span = |span: &Span| {
        let mut attributes: Vec<Value> = span.attributes.iter().map(|(key, value)| text(key, value)).collect();
        attributes.extend(span.error.as_deref().map(|error| text("error.type", error)));
        let mut object = json!({
            "traceId": digits(&span.context.trace),
            "spanId": digits(&span.id),
            "name": span.name,
            // SPAN_KIND_SERVER.
            "kind": 2,
            // 64-bit numbers are strings in this encoding.
            "startTimeUnixNano": span.time.0.to_string(),
            "endTimeUnixNano": span.time.1.to_string(),
            "attributes": attributes,
            "status": if span.error.is_some() { json!({"code": 2}) } else { json!({}) },
        });
        if let (Some(parent), Some(object)) = (span.context.parent, object.as_object_mut()) {
            object.insert("parentSpanId".to_owned(), digits(&parent).into());
        }
        object
    };
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "attest")]},
        "scopeSpans": [{
            "scope": {"name": "attest.call", "version": env!("CARGO_PKG_VERSION")},
            "spans": batch.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

#[cfg(test)]
mod tests {
    use super::{Context, NotSampled};

    #[test]
    fn a_traceparent_is_continued_where_it_is_one_and_left_alone_where_it_is_not_recorded() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let read = Context::read(&format!("00-{trace}-b7ad6b7169203331-01")).map(|context| context.map(|c| c.parent));
        assert_eq!(read, Ok(Some(Some([0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]))));
        assert_eq!(Context::read(&format!("00-{trace}-b7ad6b7169203331-00")), Err(NotSampled));
        for none in [
            String::new(),
            format!("01-{trace}-b7ad6b7169203331-01"),
            format!("00-{trace}-b7ad6b7169203331-01-"),
            format!("00-{trace}-b7ad6b7169203331-1"),
            format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-b7ad6b71692033é-01"),
        ] {
            assert_eq!(Context::read(&none), Ok(None), "{none}");
        }
    }
}
