//! The family `alert`: what a rule found, read by itself.

use serde_json::json;

use super::file::Vector;
use super::token::{canonical, swap};
use super::watched::{CALL, alert, bad, each_invalid, each_missing, good, with, without};

/// The family.
pub fn vectors() -> Vec<Vector> {
    let mut all = vec![
        good("alert_good", "a rule found something", &alert()),
        good("alert_bare", "what may be absent is", &without(without(alert(), "call"), "tool")),
        good("alert_sixteen_entries", "as many entries as an alert may rest on", &{
            with(alert(), &json!({"entries": (0..16).collect::<Vec<u64>>()}))
        }),
        good(
            "alert_reason_longest",
            "a reason of 512 bytes",
            &with(alert(), &json!({"reason": "\u{20ac}".repeat(170) + "\u{e9}"})),
        ),
        good(
            "alert_rule_longest",
            "a rule's name of 64 characters",
            &with(alert(), &json!({"rule": "a-0".repeat(21) + "z"})),
        ),
        Vector::new(
            "entry",
            "alert_order",
            "members in another order",
            swap(
                canonical(&alert()),
                r#""action":"note","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM""#,
                r#""call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","action":"note""#,
            ),
        )
        .with("expect", "not-canonical"),
        bad(
            "alert_unknown_member",
            "a member that no alert has",
            &with(alert(), &json!({"note": "x"})),
            "unknown",
            "note",
        ),
        bad("alert_event_member", "a member of events alone", &with(alert(), &json!({"size": 1})), "unknown", "size"),
    ];
    for word in ["label", "hold", "refuse"] {
        all.push(good(&format!("alert_{word}"), "another action", &with(alert(), &json!({"action": word}))));
    }
    for word in ["info", "low", "medium", "critical"] {
        all.push(good(&format!("alert_{word}"), "another severity", &with(alert(), &json!({"severity": word}))));
    }
    let required = ["action", "entries", "reason", "rule", "server", "session", "severity", "time"];
    all.extend(each_missing("alert", &alert(), &required));
    all.extend(each_invalid(
        "alert",
        &alert(),
        &[
            ("action_unknown", "an action outside the set", "action", json!("warn")),
            ("action_number", "an action that is no string", "action", json!(1)),
            ("call_short", "a hash of 42 characters", "call", json!(&CALL[..42])),
            ("call_null", "a member that may be absent is null", "call", json!(null)),
            ("entries_none", "an alert that rests on nothing", "entries", json!([])),
            ("entries_seventeen", "more entries than sixteen", "entries", json!((0..17).collect::<Vec<u64>>())),
            ("entries_order", "entries that do not ascend", "entries", json!([9, 3])),
            ("entries_twice", "an entry that is named twice", "entries", json!([3, 3])),
            ("entries_negative", "an index below 0", "entries", json!([-1, 3])),
            ("entries_fraction", "an index that is no whole number", "entries", json!([3.5])),
            ("entries_text", "an index that is text", "entries", json!(["3"])),
            ("entries_number", "entries that are no array", "entries", json!(3)),
            ("reason_empty", "a reason that says nothing", "reason", json!("")),
            ("reason_long", "a reason of 513 bytes", "reason", json!("\u{20ac}".repeat(171))),
            ("reason_lines", "a reason of two lines", "reason", json!("one\ntwo")),
            ("reason_escape", "a control sequence in a reason", "reason", json!("\u{9b}2J")),
            ("rule_empty", "a rule without a name", "rule", json!("")),
            ("rule_long", "a rule's name of 65 characters", "rule", json!("a".repeat(65))),
            ("rule_case", "a capital in a rule's name", "rule", json!("Server-asks")),
            ("rule_underscore", "another character in a rule's name", "rule", json!("server_asks")),
            ("server_empty", "a server without a name", "server", json!("")),
            ("session_long", "a session of 32 bytes", "session", json!(CALL)),
            ("severity_unknown", "a severity outside the set", "severity", json!("grave")),
            ("severity_case", "a severity in capitals", "severity", json!("High")),
            ("time_text", "a time as text", "time", json!("1800000000003")),
            ("tool_empty", "a tool without a name", "tool", json!("")),
            ("tool_control", "a control character in a name", "tool", json!("send\u{7f}email")),
        ],
    ));
    all
}
