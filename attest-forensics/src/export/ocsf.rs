//! Events of the Open Cybersecurity Schema Framework, one JSON object a line, for SIEMs: API Activity (6003) for calls and how they ended,
//! Detection Finding (2004) for alerts and their ends.
//!
//! Only what was decided or found out is an event. An entry that says a call was signed, a state was accepted or a guard started has no place here:
//! [`super::Lines`] has all of them. Of what a trail saw, calls are events only where the trail is the whole log (`attest audit`); elsewhere they
//! are in it as decisions.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};

use attest_core::alert::Severity;
use attest_core::digest::Digest;
use attest_core::entry::Written;
use serde_json::{Map, Value, json};

use super::{Form, Passed};
use crate::row::Row;

/// The version of the framework that events are of.
pub const VERSION: &str = "1.8.0";

/// Calls that wait for their outcome; of one that is older, who made it is not said with its outcome.
const CALLS: usize = 1 << 16;

/// A line for each event.
pub struct Ocsf<W> {
    to: W,
    calls: Calls,
    /// The log of an audit: what it saw is all there is.
    audit: bool,
}

impl<W: Write> Ocsf<W> {
    /// Writes to `to`, in small pieces.
    pub fn new(to: W) -> Self {
        Self { to, calls: Calls::default(), audit: false }
    }
}

impl<W: Write> Form for Ocsf<W> {
    fn entry(&mut self, entry: Passed<'_>) -> io::Result<bool> {
        self.passed_over(entry);
        let Passed { log, row, body, .. } = entry;
        let event = match row.kind {
            "decision" | "refused" | "outcome" => self.activity(row, body),
            "seen:call" | "seen:answer" | "seen:refused" if self.audit => self.activity(row, body),
            "alert" => found(log, row),
            "closed" => closed(log, body),
            _ => None,
        };
        let Some(mut event) = event else { return Ok(false) };
        event.extend(common(log, row));
        serde_json::to_writer(&mut self.to, &event)?;
        self.to.write_all(b"\n")?;
        Ok(true)
    }

    fn passed_over(&mut self, Passed { row, .. }: Passed<'_>) {
        if row.index == 0 {
            self.audit = row.kind == "trail";
            self.calls = Calls::default();
        }
        if let (Some(call), "decision" | "seen:call") = (row.call, row.kind) {
            self.calls.remember(call, row);
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Who made which call of what, as the decision on it says: an outcome names only the call.
#[derive(Default)]
struct Calls {
    of: HashMap<Digest, Made>,
    /// Oldest first.
    order: VecDeque<Digest>,
}

#[derive(Clone, Default)]
struct Made {
    agent: Option<String>,
    tool: Option<String>,
}

impl Calls {
    fn remember(&mut self, call: Digest, row: &Row) {
        let made = self.of.entry(call).or_insert_with(|| {
            self.order.push_back(call);
            Made::default()
        });
        // A trail, whose entry may stand before the decision or behind it, does not know who calls.
        made.agent = made.agent.take().or_else(|| row.agent.clone());
        made.tool = made.tool.take().or_else(|| row.tool.clone());
        if self.order.len() > CALLS
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }
}

type Event = Map<String, Value>;

/// What every event has.
fn common(log: &str, row: &Row) -> Event {
    let mut metadata = json!({
        "version": VERSION,
        "product": { "name": "attest", "vendor_name": "attest", "version": env!("CARGO_PKG_VERSION") },
        "profiles": ["security_control"],
        "log_name": log,
        "sequence": row.index,
        "uid": format!("{log}#{}", row.index),
        "event_code": row.kind,
    });
    if let (Some(call), Some(metadata)) = (row.call, metadata.as_object_mut()) {
        metadata.insert("correlation_uid".to_owned(), call.to_b64().into());
    }
    object(json!({ "metadata": metadata, "time": row.time, "message": row.words }))
}

impl<W> Ocsf<W> {
    /// A call, a refusal, or how a call ended.
    fn activity(&self, row: &Row, body: &[u8]) -> Option<Event> {
        let made = row.call.and_then(|call| self.calls.of.get(&call)).cloned().unwrap_or_default();
        let agent = row.agent.as_ref().or(made.agent.as_ref()).map_or("unknown", String::as_str);
        let tool = row.tool.as_ref().or(made.tool.as_ref()).map_or("unknown", String::as_str);
        // Decided (allowed 1, blocked 2), or only seen (logged 17).
        let (action, disposition) = match (row.kind, row.verdict) {
            ("decision", Some("allow")) => (1, 1),
            ("decision" | "refused" | "seen:refused", _) => (2, 2),
            _ => (3, 17),
        };
        let status = match row.verdict {
            Some("allow" | "result") => 1,
            Some("deny" | "tool-error" | "error") => 2,
            _ => 0,
        };
        let name = match row.kind {
            "outcome" | "seen:answer" => "Answer",
            _ => "Call",
        };
        let mut api = object(json!({ "operation": tool }));
        api.extend(row.server.as_ref().map(|server| ("service".to_owned(), json!({ "name": server }))));
        api.extend(row.call.map(|call| ("request".to_owned(), json!({ "uid": call.to_b64() }))));
        let mut event = object(json!({
            "class_uid": 6003,
            "class_name": "API Activity",
            "category_uid": 6,
            "category_name": "Application Activity",
            // The framework has no activity for calls whose effect is the server's own.
            "activity_id": 99,
            "activity_name": name,
            "type_uid": 600_399_u32,
            "type_name": "API Activity: Other",
            "severity_id": if action == 2 { 2 } else { 1 },
            "action_id": action,
            "disposition_id": disposition,
            "status_id": status,
            "actor": { "app_name": agent },
            "src_endpoint": { "name": agent },
            "api": api,
        }));
        let told = row.reason.as_deref().or(row.verdict).map(|code| ("status_code".to_owned(), code.into()));
        event.extend(told);
        event.extend(row.server.as_ref().map(|server| ("dst_endpoint".to_owned(), json!({ "svc_name": server }))));
        if let Ok(Written::Refused { count, since, .. }) = Written::read(body) {
            event.extend(object(json!({ "count": count, "start_time": since, "end_time": row.time })));
        }
        let digests = |digests: &[Digest]| digests.iter().map(|digest| digest.to_b64()).collect::<Vec<_>>();
        let aside = [
            ("labels", row.labels.clone()),
            ("destinations", row.destinations.clone()),
            ("commitments", digests(&row.commitments)),
        ];
        let aside: Event = aside
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| (name.to_owned(), json!(list)))
            .collect();
        if !aside.is_empty() {
            event.insert("unmapped".to_owned(), aside.into());
        }
        Some(event)
    }
}

/// What a finding has, whatever becomes of it.
fn finding(activity: u8, name: &str, status: u8, severity: u8, info: Value) -> Event {
    object(json!({
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": 200_400 + u32::from(activity),
        "type_name": format!("Detection Finding: {name}"),
        "status_id": status,
        "severity_id": severity,
        "action_id": 3,
        "disposition_id": 19,
        "finding_info": info,
    }))
}

fn found(log: &str, row: &Row) -> Option<Event> {
    let severity = match row.severity? {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    };
    let rule = row.reason.as_deref()?;
    let info = json!({
        "uid": format!("{log}#{}", row.index),
        "title": rule,
        "desc": row.words,
        "created_time": row.time,
        "analytic": { "name": rule, "uid": rule, "type_id": 1, "type": "Rule" },
    });
    let mut event = finding(1, "Create", 1, severity, info);
    event.insert("is_alert".to_owned(), true.into());
    event.extend(
        row.server.as_ref().map(|server| ("resources".to_owned(), json!([{ "name": server, "type": "MCP server" }]))),
    );
    event.extend(row.tool.as_ref().map(|tool| ("evidences".to_owned(), json!([{ "api": { "operation": tool } }]))));
    Some(event)
}

fn closed(log: &str, body: &[u8]) -> Option<Event> {
    let Ok(Written::Closed { alert, by, reason, .. }) = Written::read(body) else { return None };
    // How bad it was stands in the event that this one closes.
    let mut event = finding(3, "Close", 4, 0, json!({ "uid": format!("{log}#{alert}") }));
    event.insert("comment".to_owned(), format!("{by}: {reason}").into());
    Some(event)
}

fn object(value: Value) -> Event {
    match value {
        Value::Object(members) => members,
        _ => Event::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_called_is_known_whether_the_trail_saw_the_call_before_its_decision_or_behind_it() {
        let call = Digest::of("call");
        let row = |kind, agent: Option<&str>| Row {
            kind,
            agent: agent.map(str::to_owned),
            tool: Some("send".to_owned()),
            call: Some(call),
            ..Row::default()
        };
        let (decided, seen) = (row("decision", Some("a")), row("seen:call", None));
        for order in [[&decided, &seen], [&seen, &decided]] {
            let mut calls = Calls::default();
            order.into_iter().for_each(|row| calls.remember(call, row));
            assert_eq!(calls.of.get(&call).and_then(|made| made.agent.as_deref()), Some("a"));
            assert_eq!(calls.order.len(), 1);
        }
    }
}
