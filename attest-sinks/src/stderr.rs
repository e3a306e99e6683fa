//! Standard error, by way of `tracing`: one line, whatever the alert says.

use crate::alert::{Alert, Severity};

pub(crate) fn write(alert: &Alert) {
    let Alert { rule, severity, reason, server, tool, entries, .. } = alert;
    let (server, tool) = (server.as_deref().unwrap_or("-"), tool.as_deref().unwrap_or("-"));
    // What a server said of itself may hold line breaks and terminal escapes; `?` writes them escaped.
    let entries = entries.join(",");
    if *severity >= Severity::High {
        tracing::error!(target: "attest::alert", rule = ?rule, severity = severity.as_str(), ?server, ?tool, ?entries, "alert: {reason:?}");
    } else {
        tracing::warn!(target: "attest::alert", rule = ?rule, severity = severity.as_str(), ?server, ?tool, ?entries, "alert: {reason:?}");
    }
}
