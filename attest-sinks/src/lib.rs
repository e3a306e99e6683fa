//! Where alerts go besides the log: standard error, a signed webhook, syslog, OTLP; and where spans and durations of calls go.
//!
//! [`Sinks::send`] never waits: each sink is a task of its own behind a bounded queue. When a queue is full the alert is dropped
//! for that sink, counted, and said so through `tracing`; the log has it in any case. So a sink that is slow, gone or hostile costs
//! alerts at that sink, never calls.
//!
//! Secrets are named by file, not written into the configuration. Whoever can change the configuration can send alerts
//! elsewhere or nowhere; what they say is redacted before it comes here.

mod alert;
mod config;
mod durations;
mod http;
mod otlp;
mod queue;
mod spans;
mod stderr;
mod syslog;
mod webhook;

pub use alert::{Alert, Severity};
pub use config::{Config, SinkConfig, SinksError, SyslogAddress};
pub use durations::{Attributes, Durations, Named};
pub use queue::{Sinks, Status};
pub use spans::{Context as SpanContext, NotSampled, Span, SpanStatus, Spans};
