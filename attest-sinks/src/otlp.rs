//! OTLP over HTTP in its JSON encoding (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP").
//!
//! Thirty lines of JSON in place of the OpenTelemetry SDK, which would bring an exporter pipeline of its own beside the queue
//! here; the tests read it with the SDK's types.

use std::path::{Path, PathBuf};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::alert::{Alert, Severity};
use crate::config::{SinksError, secret};
use crate::http::Post;

pub(crate) struct Otlp {
    post: Post,
    headers: HeaderMap,
}

impl Otlp {
    pub(crate) fn new(url: &str, header_file: Option<&Path>, roots: Option<&Path>) -> Result<Self, SinksError> {
        let mut headers = HeaderMap::new();
        if let Some(path) = header_file {
            let text = secret(path)?;
            let wrong =
                || SinksError::Secret { path: PathBuf::from(path), expected: "header: `Name: value` on one line" };
            let (name, value) = text.split_once(':').ok_or_else(wrong)?;
            let refused = |_| SinksError::Header(name.to_owned());
            let mut value: HeaderValue = value.trim().parse().map_err(|_| SinksError::Header(name.to_owned()))?;
            value.set_sensitive(true);
            headers.insert(name.trim().parse::<HeaderName>().map_err(refused)?, value);
        }
        Ok(Self { post: Post::new(url, roots)?, headers })
    }

    pub(crate) async fn deliver(&self, alert: &Alert) -> Result<(), String> {
        self.post(body(alert).to_string()).await
    }

    /// Sends a request of OTLP until it is taken.
    pub(crate) async fn post(&self, text: String) -> Result<(), String> {
        self.post.send(text, || Ok(self.headers.clone())).await
    }
}

fn body(alert: &Alert) -> Value {
    // First of each range of the data model's severity numbers.
    let number = match alert.severity {
        Severity::Info => 9,
        Severity::Low => 10,
        Severity::Medium => 13,
        Severity::High => 17,
        Severity::Critical => 21,
    };
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![text("attest.rule", &alert.rule)];
    attributes.extend(alert.server.as_deref().map(|server| text("attest.server", server)));
    attributes.extend(alert.tool.as_deref().map(|tool| text("attest.tool", tool)));
    if !alert.entries.is_empty() {
        let entries: Vec<Value> = alert.entries.iter().map(|entry| json!({"stringValue": entry})).collect();
        attributes.push(json!({"key": "attest.entries", "value": {"arrayValue": {"values": entries}}}));
    }
    // 64-bit numbers are strings in this encoding.
    let time = (u128::from(alert.time_ms) * 1_000_000).min(u128::from(u64::MAX)).to_string();
    json!({"resourceLogs": [{
        "resource": {"attributes": [text("service.name", "attest")]},
        "scopeLogs": [{
            "scope": {"name": "attest.alert", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": [{
                "timeUnixNano": time,
                "observedTimeUnixNano": time,
                "severityNumber": number,
                "severityText": alert.severity.as_str(),
                "eventName": "attest.alert",
                "body": {"stringValue": alert.reason},
                "attributes": attributes,
            }],
        }],
    }]})
}
