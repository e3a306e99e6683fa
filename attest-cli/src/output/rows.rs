//! Entries in lines. Everything in them is what others wrote: escaped, so that it cannot move the cursor or forge a line.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use attest_core::alert::Severity;
use attest_forensics::Row;

/// An entry in one line.
pub(crate) fn row(log: Option<&str>, row: &Row) -> String {
    format!("{} {}  {}", place(log, row.index), time(row.time), said(row))
}

/// Where an entry stands; `log` is put in front of its index where there are several.
pub(crate) fn place(log: Option<&str>, index: u64) -> String {
    let log = log.map(|log| format!("{}#", log.escape_debug())).unwrap_or_default();
    format!("{log}{index:<6}")
}

/// The same without its place and time.
pub(crate) fn said(row: &Row) -> String {
    let style = style(row);
    let mut line = format!("{style}{:<8}{style:#}", row.verdict.unwrap_or(row.kind));
    if row.verdict.is_some() {
        let _ = write!(line, " {}", row.kind);
    }
    let name = |name: &Option<String>| name.as_deref().map(|name| name.escape_debug().to_string());
    if let Some(severity) = row.severity {
        let _ = write!(line, " {severity}");
    }
    match (name(&row.server), name(&row.tool)) {
        (Some(server), Some(tool)) => drop(write!(line, " {server}#{tool}")),
        (Some(one), None) | (None, Some(one)) => drop(write!(line, " {one}")),
        (None, None) => {}
    }
    if let Some(agent) = name(&row.agent) {
        let _ = write!(line, " by {agent}");
    }
    if let Some(reason) = name(&row.reason) {
        let _ = write!(line, " {style}{reason}{style:#}");
    }
    let _ = write!(line, ": {}", row.words.escape_debug());
    if !row.labels.is_empty() {
        let _ = write!(line, " [{}]", row.labels.join(" "));
    }
    if !row.destinations.is_empty() {
        let _ = write!(line, " -> {}", row.destinations.join(" ").escape_debug());
    }
    if let Some(call) = row.call {
        let _ = write!(line, ", call {}", call.to_b64().chars().take(8).collect::<String>());
    }
    line
}

/// Milliseconds since 1970, for a person.
pub(crate) fn time(milliseconds: u64) -> String {
    let when = i64::try_from(milliseconds).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    when.map_or_else(|| milliseconds.to_string(), |when| format!("{when:.3}"))
}

fn style(row: &Row) -> Style {
    let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
    match (row.verdict, row.severity) {
        (Some("deny" | "bad"), _) => color(AnsiColor::Red).bold(),
        (_, Some(Severity::High | Severity::Critical)) => color(AnsiColor::Red).bold(),
        (_, Some(_)) | (Some("tool-error" | "error" | "unknown" | "cancelled"), _) => color(AnsiColor::Yellow),
        (Some("allow" | "result" | "ok"), _) => color(AnsiColor::Green),
        _ if row.kind == "seen:state" || row.kind == "unreadable" => color(AnsiColor::Yellow),
        _ => Style::new(),
    }
}
