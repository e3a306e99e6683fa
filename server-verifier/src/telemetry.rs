//! A span for each call, and how long calls take, to an OTLP collector: by OpenTelemetry's conventions for MCP and for tools of generative AI,
//! in the trace that the client says (`traceparent` in `_meta`). No signature binds that, and a span is no evidence.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use attest_core::refusal::Caller;
use attest_core::request::Call;
use attest_sinks::{Durations, Named, SinksError, Span, SpanContext, SpanStatus, Spans};

/// How long what waits may take to leave when the guard ends.
const LAST: Duration = Duration::from_secs(2);

/// What the conventions call the time that a server takes.
const DURATION: Named = Named {
    name: "mcp.server.operation.duration",
    description: "From a call's check to its end, of callers that are known",
    scope: "attest.call",
};

/// The way to a collector.
pub(crate) struct Telemetry {
    /// `None` once it is closed.
    ways: std::sync::Mutex<Option<(Spans, Durations)>>,
    audience: String,
}

/// A call that goes on. It is sent when it is over.
pub(crate) struct Begun {
    at: Instant,
    method: String,
    is_tool: bool,
    /// `None` where its client does not record the trace.
    span: Option<Span>,
}

impl Telemetry {
    /// To the collector at `url`. To be called inside of a Tokio runtime.
    pub(crate) fn start(
        url: &str,
        header_file: Option<&Path>,
        roots: Option<&Path>,
        audience: &str,
    ) -> Result<Self, SinksError> {
        let spans = Spans::start(url, header_file, roots)?;
        let durations = Durations::start(DURATION, url, header_file, roots)?;
        Ok(Self { ways: std::sync::Mutex::new(Some((spans, durations))), audience: audience.to_owned() })
    }

    /// A call that began at this moment.
    pub(crate) fn begin(&self, call: &Call<'_, '_>, caller: &Caller, at: Instant) -> Begun {
        let span = self.span(call, caller, at);
        Begun { at, method: caller.method.clone(), is_tool: caller.tool.is_some(), span }
    }

    fn span(&self, call: &Call<'_, '_>, caller: &Caller, at: Instant) -> Option<Span> {
        let context = match call.traceparent().map_or(Ok(None), SpanContext::read).ok()? {
            Some(context) => context,
            None => SpanContext { trace: random()?, parent: None },
        };
        let mut attributes = vec![
            (METHOD, caller.method.clone()),
            ("attest.agent", caller.agent.clone()),
            ("attest.call", caller.call.to_b64()),
            ("attest.server", self.audience.clone()),
        ];
        let mut name = caller.method.clone();
        if let Some(tool) = &caller.tool {
            name = format!("{name} {tool}");
            attributes.push(("gen_ai.tool.name", tool.clone()));
            attributes.push((OPERATION, TOOL.to_owned()));
        }
        let start = now().saturating_sub(nanoseconds(at.elapsed()));
        Some(Span { context, id: random()?, name, time: (start, start), attributes, error: None })
    }

    /// It is over.
    pub(crate) fn end(&self, begun: Begun, decision: &str, error: Option<&str>) {
        let ways = self.ways();
        let Some((spans, durations)) = &*ways else { return };
        let Begun { at, method, is_tool, span } = begun;
        // Tools have no series: a caller could make as many as he likes.
        let mut attributes = vec![(METHOD, method), ("attest.server", self.audience.clone())];
        attributes.push((DECISION, decision.to_owned()));
        attributes.extend(is_tool.then(|| (OPERATION, TOOL.to_owned())));
        attributes.extend(error.map(|error| ("error.type", error.to_owned())));
        durations.record(attributes, at.elapsed());
        if let Some(mut span) = span {
            span.time.1 = now();
            span.attributes.push((DECISION, decision.to_owned()));
            span.error = error.map(str::to_owned);
            spans.send(span);
        }
    }

    /// What became of the spans so far.
    pub(crate) fn status(&self) -> SpanStatus {
        self.ways().as_ref().map_or_else(SpanStatus::default, |(spans, _)| spans.status())
    }

    /// Sends what waits, and ends.
    pub(crate) async fn close(&self) {
        let ways = self.ways().take();
        if let Some((spans, durations)) = ways {
            tokio::join!(spans.close(LAST), durations.close(LAST));
        }
    }

    fn ways(&self) -> std::sync::MutexGuard<'_, Option<(Spans, Durations)>> {
        self.ways.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

const METHOD: &str = "mcp.method.name";
const OPERATION: &str = "gen_ai.operation.name";
const TOOL: &str = "execute_tool";
const DECISION: &str = "attest.decision";

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
