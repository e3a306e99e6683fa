//! The family `seen`: what passed between host and server, entry by entry.

mod shape;

use serde_json::{Value, json};

use super::file::Vector;
use super::token::{canonical, swap};
use super::watched::{
    CALL, Case, DIGEST, answer, bad, call, each_invalid, each_missing, good, read, seen, trail, with, without,
};

/// Each kind with all that it may have, its name, and what it must have.
fn kinds() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let marks = json!({"addressed": 2, "bidi": 1, "encoded": 1, "escape": 1, "invisible": 1, "markup": 1, "secret-path": 4_294_967_295u32});
    let full = |entry: Value, members: Value| with(with(entry, &json!({"marks": marks})), &members);
    vec![
        (
            "server",
            full(
                seen("server", &json!({})),
                json!({"era": "2026-07-28", "host": "mail.example", "how": DIGEST, "key": DIGEST, "name": "Mail", "version": "1.0"}),
            ),
            vec![],
        ),
        (
            "tool",
            full(
                seen("tool", &json!({"description": DIGEST, "schema": DIGEST, "tool": "send_email"})),
                json!({"can": ["danger", "in", "out"]}),
            ),
            vec!["description", "schema", "tool"],
        ),
        ("tool_gone", seen("tool-gone", &json!({"tool": "send_email"})), vec!["tool"]),
        (
            "call",
            full(call(), json!({"more": true, "outside": ["", "/to/0"]})),
            vec!["arguments", "call", "shape", "size", "tool"],
        ),
        (
            "read",
            with(read(), &json!({"destinations": ["a.example", "b.example"], "more": true})),
            vec!["call", "method", "name", "size"],
        ),
        (
            "answer",
            full(answer(), json!({"destinations": ["evil.example"], "held": true, "more": true, "result": DIGEST})),
            vec!["call", "latency", "size", "status"],
        ),
        (
            "asked",
            full(seen("asked", &json!({"method": "sampling/createMessage", "size": 9})), json!({"call": CALL})),
            vec!["method", "size"],
        ),
        (
            "refused",
            seen("refused", &json!({"call": CALL, "reason": "tool-not-granted", "tool": "send_email"})),
            vec!["reason", "tool"],
        ),
        ("state", seen("state", &json!({"components": ["config", "system-prompt"]})), vec!["components"]),
        ("opaque", seen("opaque", &json!({"from": "server", "size": 4_194_304})), vec!["from", "size"]),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let mut all = Vec::new();
    for (kind, entry, required) in kinds() {
        all.push(good(&format!("seen_{kind}"), "every member that it may have", &entry));
        all.extend(each_missing(&format!("seen_{kind}"), &entry, &required));
        let (name, comment) = (format!("seen_{kind}_unknown_member"), "a member that events of this kind do not have");
        all.push(bad(&name, comment, &with(entry, &json!({"zz": "x"})), "invalid", "event"));
    }
    all.extend(each_missing("seen", &call(), &["server", "session", "what"]));
    all.extend(accepted());
    all.extend(of_the_entry());
    all.extend(of_an_event());
    all.extend(of_each_kind());
    all.extend(shape::vectors());
    all
}

/// What may be so.
fn accepted() -> Vec<Vector> {
    let hosts = |most: usize| (0..most).map(|n| format!("h{n:02}.example")).collect::<Vec<_>>();
    let method = |entry: Value| with(without(entry, "tool"), &json!({"method": "tasks/cancel"}));
    vec![
        good("seen_trail", "a session of a watched host starts", &trail()),
        good("seen_server_bare", "a server that said nothing of itself", &seen("server", &json!({}))),
        good("seen_server_text_longest", "a text of 128 characters", &{
            seen("server", &json!({"name": "\u{10ffff}".repeat(128)}))
        }),
        good("seen_server_text_empty", "an empty text", &seen("server", &json!({"version": ""}))),
        good("seen_call_bare", "a call, and nothing more to say", &without(call(), "destinations")),
        good("seen_call_method", "a call of another method", &method(call())),
        good("seen_call_notification", "a notification", &with(method(call()), &json!({"notification": true}))),
        good("seen_call_pointer_longest", "eight pointers of 256 characters", &{
            with(call(), &json!({"outside": vec![format!("/{}", "\u{10ffff}".repeat(255)); 8]}))
        }),
        good("seen_call_sixteen", "sixteen destinations", &with(call(), &json!({"destinations": hosts(16)}))),
        good("seen_call_destination_longest", "a destination of 253 bytes", &{
            with(call(), &json!({"destinations": ["a".repeat(253)]}))
        }),
        good(
            "seen_call_destination_letters",
            "letters and a blank beyond ASCII: a matter of Unicode's version, not of form",
            &{ with(call(), &json!({"destinations": ["\u{a0}.example", "\u{c4}.example"]})) },
        ),
        good(
            "seen_refused_method",
            "a method was refused",
            &method(seen("refused", &json!({"reason": "alert", "tool": "x"}))),
        ),
        good("seen_refused_own_word", "a reason of our own side, of 64 characters", &{
            seen("refused", &json!({"reason": "a-0".repeat(21) + "z", "tool": "x"}))
        }),
        good("seen_state_all", "every component", &{
            let all = [
                "config",
                "harness",
                "model-ref",
                "model-tensors",
                "model-weights",
                "signer",
                "system-prompt",
                "tool-manifest",
            ];
            seen("state", &json!({"components": all}))
        }),
        good("seen_opaque_client", "a message of the client", &seen("opaque", &json!({"from": "client", "size": 0}))),
    ]
}

/// The entry around the event, and that of a session's start.
fn of_the_entry() -> Vec<Vector> {
    let entry = |member: &str, value: Value| {
        let mut entry = call();
        entry[member] = value;
        entry
    };
    let absent = |member: &str| {
        let mut entry = call();
        entry.as_object_mut().unwrap().remove(member).unwrap();
        entry
    };
    let mut all = vec![
        bad("seen_no_event", "nothing that was seen", &absent("event"), "missing", "event"),
        bad("seen_no_time", "no time", &absent("time"), "missing", "time"),
        bad("seen_event_text", "an event that is no object", &entry("event", json!("call")), "invalid", "event"),
        bad("seen_event_null", "an event that is null", &entry("event", json!(null)), "invalid", "event"),
        bad("seen_time_fraction", "a fraction of a millisecond", &entry("time", json!(1.5)), "invalid", "time"),
        bad(
            "seen_member_beside",
            "a member of the event beside it",
            &entry("server", json!("mail")),
            "unknown",
            "server",
        ),
        Vector::new(
            "entry",
            "seen_order",
            "members of the event in another order",
            swap(canonical(&answer()), r#""latency":12,"server":"mail""#, r#""server":"mail","latency":12"#),
        )
        .with("expect", "not-canonical"),
        Vector::new(
            "entry",
            "seen_member_twice",
            "a member of the event twice",
            swap(canonical(&answer()), r#""latency":12"#, r#""latency":12,"latency":12"#),
        )
        .with("expect", "duplicate-member"),
        bad(
            "seen_trail_unknown_member",
            "a member that no such entry has",
            &with(trail(), &json!({"note": 1})),
            "unknown",
            "note",
        ),
        bad("seen_trail_agent", "a trail of an agent", &with(trail(), &json!({"agent": "a1"})), "unknown", "agent"),
    ];
    all.extend(each_missing("seen_trail", &trail(), &["session", "time", "version"]));
    all.extend(each_invalid(
        "seen_trail",
        &trail(),
        &[
            ("session_short", "a session of 21 characters", "session", json!("BQUFBQUFBQUFBQUFBQUFB")),
            ("time_text", "a time as text", "time", json!("1800000000001")),
            ("version_empty", "a version that is no name", "version", json!("")),
        ],
    ));
    all
}

/// What all events have.
fn of_an_event() -> Vec<Vector> {
    each_invalid(
        "seen",
        &call(),
        &[
            ("server_empty", "a server without a name", "server", json!("")),
            ("server_long", "a name of 257 bytes", "server", json!("m".repeat(257))),
            ("session_long", "a session of 32 bytes", "session", json!(CALL)),
            ("session_stray_bit", "a session with an unused bit set", "session", json!("BQUFBQUFBQUFBQUFBQUFBR")),
            ("what_unknown", "a kind that this version does not know", "what", json!("whispered")),
            ("what_case", "a kind in capitals", "what", json!("Call")),
            ("what_number", "a kind that is no string", "what", json!(1)),
        ],
    )
}

/// What each kind has beside that.
fn of_each_kind() -> Vec<Vector> {
    let hosts = (0..17).map(|n| format!("h{n:02}.example")).collect::<Vec<_>>();
    let all = kinds();
    let of = |kind: &str| all.iter().find(|(name, ..)| *name == kind).unwrap().1.clone();
    let mut vectors = each_invalid(
        "seen_call",
        &of("call"),
        &[
            ("arguments_short", "a digest of 42 characters", "arguments", json!(&DIGEST[..42])),
            ("shape_null", "a digest that is null", "shape", json!(null)),
            ("size_negative", "a negative size", "size", json!(-1)),
            ("size_fraction", "half a byte", "size", json!(8.5)),
            ("tool_control", "a control character in a name", "tool", json!("send\u{1b}email")),
            ("tool_long", "a name of 257 bytes", "tool", json!("t".repeat(257))),
            ("outside_empty", "no pointer, where the member would be left out", "outside", json!([])),
            ("outside_nine", "more pointers than eight", "outside", json!(vec![""; 9])),
            ("outside_long", "a pointer of 257 characters", "outside", json!([format!("/{}", "a".repeat(256))])),
            ("outside_control", "a control character in a pointer", "outside", json!(["/a\nb"])),
            ("outside_text", "a pointer that is not in an array", "outside", json!("/to")),
            ("destinations_empty", "no destination, where the member would be left out", "destinations", json!([])),
            ("destinations_seventeen", "more destinations than sixteen", "destinations", json!(hosts)),
            (
                "destinations_order",
                "destinations that do not ascend",
                "destinations",
                json!(["b.example", "a.example"]),
            ),
            // By UTF-16 code units it would be the other way round.
            (
                "destinations_order_utf_16",
                "ascending by code units, not by bytes",
                "destinations",
                json!(["\u{10000}.example", "\u{ff5e}.example"]),
            ),
            ("destinations_twice", "a destination twice", "destinations", json!(["a.example", "a.example"])),
            ("destinations_capital", "a capital in a destination", "destinations", json!(["A.example"])),
            ("destinations_blank", "a blank in a destination", "destinations", json!(["a example"])),
            ("destinations_control", "a control character in a destination", "destinations", json!(["a\u{85}b"])),
            ("destinations_no_name", "a destination without a name", "destinations", json!([""])),
            ("destinations_long", "a destination of 254 bytes", "destinations", json!(["a".repeat(254)])),
            ("destinations_number", "a destination that is a number", "destinations", json!([1])),
            ("more_false", "a mark that would be left out", "more", json!(false)),
            ("notification_false", "a mark that would be left out", "notification", json!(false)),
            ("notification_number", "a mark that is a number", "notification", json!(1)),
            ("marks_empty", "no mark, where the member would be left out", "marks", json!({})),
            ("marks_zero", "a mark that was not found", "marks", json!({"addressed": 0})),
            ("marks_huge", "a count of 2^32", "marks", json!({"addressed": 4_294_967_296u64})),
            ("marks_fraction", "half a mark", "marks", json!({"addressed": 1.5})),
            ("marks_unknown", "a mark outside the set", "marks", json!({"obeyed": 1})),
            ("marks_array", "marks without counts", "marks", json!(["addressed"])),
        ],
    );
    let method = with(without(call(), "tool"), &json!({"method": "m"}));
    vectors.extend(each_invalid(
        "seen_call",
        &method,
        &[("method_empty", "a method without a name", "method", json!(""))],
    ));
    let both = with(call(), &json!({"method": "tools/list"}));
    vectors.push(bad("seen_call_tool_and_method", "a tool and a method", &both, "invalid", "event"));
    let rows: Vec<(&str, Vec<Case>)> = vec![
        (
            "server",
            vec![
                ("name_long", "a text of 129 characters", "name", json!("a".repeat(129))),
                ("name_control", "a control character in a text", "name", json!("Mail\u{7}")),
                ("version_number", "a version that is a number", "version", json!(1)),
                ("era_null", "a member that may be absent is null", "era", json!(null)),
                ("how_text", "a command in the place of its digest", "how", json!("npx mail")),
                ("host_control", "a control character in a TLS name", "host", json!("mail\u{0}.example")),
                ("key_short", "a digest of 42 characters", "key", json!(&DIGEST[..42])),
            ],
        ),
        (
            "tool",
            vec![
                ("description_text", "a description in the place of its digest", "description", json!("Sends mail.")),
                ("schema_object", "a schema in the place of its digest", "schema", json!({})),
                ("can_empty", "nothing that it can do, where the member would be left out", "can", json!([])),
                ("can_order", "what it can do in another order", "can", json!(["out", "in"])),
                ("can_twice", "what it can do twice", "can", json!(["in", "in"])),
                ("can_unknown", "what no tool can do", "can", json!(["fly"])),
            ],
        ),
        ("tool_gone", vec![("tool_number", "a tool whose name is a number", "tool", json!(1))]),
        (
            "read",
            vec![
                ("method_empty", "a method without a name", "method", json!("")),
                ("name_text", "a URI in the place of its digest", "name", json!("file:///etc/passwd")),
            ],
        ),
        (
            "answer",
            vec![
                ("status_unknown", "a status outside the set", "status", json!("done")),
                ("latency_negative", "an answer before the question", "latency", json!(-1)),
                ("result_text", "a result in the place of its digest", "result", json!("ok")),
                ("held_false", "a mark that would be left out", "held", json!(false)),
            ],
        ),
        (
            "asked",
            vec![
                ("method_number", "a method that is a number", "method", json!(1)),
                ("call_short", "a hash of 42 characters", "call", json!(&CALL[..42])),
            ],
        ),
        (
            "refused",
            vec![
                ("reason_empty", "a reason that says nothing", "reason", json!("")),
                ("reason_long", "a reason of 65 characters", "reason", json!("a".repeat(65))),
                ("reason_sentence", "a reason that is a sentence", "reason", json!("not today")),
            ],
        ),
        (
            "state",
            vec![
                ("components_empty", "no component", "components", json!([])),
                ("components_order", "components that do not ascend", "components", json!(["signer", "config"])),
                ("components_twice", "a component twice", "components", json!(["config", "config"])),
                ("components_unknown", "a component that nobody measures", "components", json!(["mood"])),
                ("components_text", "a component that is not in an array", "components", json!("config")),
            ],
        ),
        (
            "opaque",
            vec![
                ("from_unknown", "a message of a third party", "from", json!("host")),
                ("size_text", "a size as text", "size", json!("9")),
            ],
        ),
    ];
    for (kind, cases) in rows {
        vectors.extend(each_invalid(&format!("seen_{kind}"), &of(kind), &cases));
    }
    let unmarked = without(without(of("answer"), "marks"), "more");
    let comment = "destinations of an answer that has no marks";
    vectors.push(bad("seen_answer_destinations_unmarked", comment, &unmarked, "invalid", "destinations"));
    let unmarked = with(answer(), &json!({"more": true}));
    vectors.push(bad("seen_answer_more_unmarked", "more of an answer that has no marks", &unmarked, "invalid", "more"));
    vectors
}
