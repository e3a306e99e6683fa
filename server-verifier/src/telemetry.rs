//! A span for each call, to an OTLP collector: by OpenTelemetry's conventions for MCP and for tools of generative AI, in the trace that the client
//! says (`traceparent` in `_meta`). No signature binds that, and a span is no evidence.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use attest_core::refusal::Caller;
use attest_core::request::Call;
use attest_sinks::{SinksError, Span, SpanContext, SpanStatus, Spans};

/// How long spans may take to leave when the guard ends.
const LAST: Duration = Duration::from_secs(2);

/// The way of spans to a collector.
pub(crate) struct Telemetry {
    /// `None` once it is closed.
    spans: std::sync::Mutex<Option<Spans>>,
    audience: String,
}

/// A call that goes on. It is sent when it is over.
pub(crate) struct Begun(Span);

impl Telemetry {
    /// To the collector at `url`. To be called inside of a Tokio runtime.
    pub(crate) fn start(
        url: &str,
        header_file: Option<&Path>,
        roots: Option<&Path>,
        audience: &str,
    ) -> Result<Self, SinksError> {
        let spans = Spans::start(url, header_file, roots)?;
        Ok(Self { spans: std::sync::Mutex::new(Some(spans)), audience: audience.to_owned() })
    }

    /// The span of a call that began at this moment; `None` where its client does not record the trace.
    pub(crate) fn begin(&self, call: &Call<'_, '_>, caller: &Caller, at: Instant) -> Option<Begun> {
        let context = match call.traceparent().map_or(Ok(None), SpanContext::read).ok()? {
            Some(context) => context,
            None => SpanContext { trace: random()?, parent: None },
        };
        let mut attributes = vec![
            ("mcp.method.name", caller.method.clone()),
            ("attest.agent", caller.agent.clone()),
            ("attest.call", caller.call.to_b64()),
            ("attest.server", self.audience.clone()),
        ];
        let mut name = caller.method.clone();
        if let Some(tool) = &caller.tool {
            name = format!("{name} {tool}");
            attributes.push(("gen_ai.tool.name", tool.clone()));
            attributes.push(("gen_ai.operation.name", "execute_tool".to_owned()));
        }
        let start = now().saturating_sub(nanoseconds(at.elapsed()));
        Some(Begun(Span { context, id: random()?, name, time: (start, start), attributes, error: None }))
    }

    /// It is over.
    pub(crate) fn end(&self, Begun(mut span): Begun, decision: &str, error: Option<&str>) {
        span.time.1 = now();
        span.attributes.push(("attest.decision", decision.to_owned()));
        span.error = error.map(str::to_owned);
        if let Some(spans) = &*self.spans() {
            spans.send(span);
        }
    }

    /// What became of the spans so far.
    pub(crate) fn status(&self) -> SpanStatus {
        self.spans().as_ref().map_or_else(SpanStatus::default, Spans::status)
    }

    /// Sends what waits, and ends.
    pub(crate) async fn close(&self) {
        let spans = self.spans().take();
        if let Some(spans) = spans {
            spans.close(LAST).await;
        }
    }

    fn spans(&self) -> std::sync::MutexGuard<'_, Option<Spans>> {
        self.spans.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Without random bits there is no span; calls do not depend on one.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanoseconds)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
