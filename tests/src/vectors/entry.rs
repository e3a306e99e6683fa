//! The family `entry`: entries of a log, read by themselves.

use super::file::Vector;
use super::token::canonical;
use serde_json::{Value, json};

const HASH: &str = "6hpAzpP5xpy9DBdhfeo40iDZbYJVatlloaS0yHGlSTw";
const CALL: &str = "x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM";
const ROOT: &str = "IngmSD6TOSQJ35uOkgH18H0jp9LADM8WBeK55weMMg8";
const LEAF: &str = "HGflKhyOrI9whKcUNudBP8HhvbDxNrWcXHvjVTWCH94";
const KEY: &str = "nRIE2VmKdMjL1JD7tbV7fXVgXxmv0GKnMFWRUJMTf9Q";
const PARAMS: &str = "QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q";
const POLICY: &str = "-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0";
const RESULT: &str = "XMN1HZ55JTHJCNULzH0xc9niFtgej08BHyUvGCg-uHM";
const CONTEXT: &str = "BQUFBQUFBQUFBQUFBQUFBQ";

fn start() -> Value {
    json!({"audience": "files", "policy": POLICY, "time": 1_800_000_000_000u64, "type": "start", "version": "0.1.0"})
}

fn shared_start() -> Value {
    let mut entry = start();
    entry["shared"] = json!(true);
    entry
}

fn config() -> Value {
    json!({"audience": "files", "policy": POLICY, "time": 1_800_000_000_500u64, "type": "config"})
}

fn allow() -> Value {
    json!({"agent": "a1", "attestation": HASH, "audience": "files", "call": CALL, "context": CONTEXT,
        "decision": "allow", "delegation": [ROOT, LEAF], "key": KEY, "params": PARAMS, "policy": POLICY,
        "time": 1_800_000_000_005u64, "tool": "read_file", "type": "decision"})
}

fn deny() -> Value {
    json!({"agent": "a1", "audience": "files", "call": CALL, "decision": "deny", "key": KEY, "policy": POLICY,
        "reason": "replay", "time": 1_800_000_000_009u64, "tool": "read_file", "type": "decision"})
}

fn outcome() -> Value {
    json!({"audience": "files", "call": CALL, "result": RESULT, "status": "result",
        "time": 1_800_000_000_040u64, "type": "outcome"})
}

fn refused() -> Value {
    json!({"audience": "files", "count": 3, "reason": "no-proof", "since": 1_800_000_000_011u64,
        "time": 1_800_000_001_011u64, "type": "refused"})
}

fn context() -> Value {
    json!({"agent": "a1", "context": CONTEXT, "time": 1_800_000_000_001u64, "type": "context", "version": "0.1.0"})
}

fn call() -> Value {
    json!({"attestation": HASH, "audience": "files", "call": CALL, "context": CONTEXT, "delegation": [ROOT, LEAF],
        "params": PARAMS, "time": 1_800_000_000_002u64, "tool": "read_file", "type": "call"})
}

fn receipt() -> Value {
    json!({"audience": "files", "call": CALL, "check": "ok", "index": 1, "log": "files", "receipt": HASH, "size": 2,
        "time": 1_800_000_000_041u64, "type": "receipt"})
}

fn bad_receipt() -> Value {
    json!({"about": "result", "audience": "files", "call": CALL, "check": "bad-receipt", "receipt": HASH,
        "time": 1_800_000_000_041u64, "type": "receipt"})
}

fn no_receipt() -> Value {
    json!({"about": "missing", "audience": "files", "call": CALL, "check": "no-receipt",
        "time": 1_800_000_000_041u64, "type": "receipt"})
}

fn key() -> Value {
    json!({"key": vkey("files", 6), "previous": vkey("files", 5), "time": 1_800_000_002_000u64, "type": "key"})
}

fn accepted() -> Value {
    json!({"agent": "a1", "audience": "files", "by": "alice@example.com", "component": "model-tensors", "digest": HASH,
        "reason": "the adapter of November", "since": 1_799_999_990_000u64, "time": 1_800_000_000_001u64,
        "type": "accepted"})
}

fn closed() -> Value {
    json!({"alert": 17, "audience": "files", "by": "alice@example.com", "reason": "a page about prompts, not one",
        "since": 1_799_999_990_000u64, "time": 1_800_000_000_001u64, "type": "closed"})
}

fn used() -> Value {
    json!({"audience": "files", "call": CALL, "time": 1_800_000_000_004u64, "token": HASH, "type": "used"})
}

/// A call is let through whose caller had seen something.
fn lineage() -> Value {
    let mut entry = allow();
    entry["cause"] = json!(HASH);
    entry["declassified"] = json!([LEAF]);
    entry["labels"] = json!(["hr", "pay"]);
    entry["receipts"] = json!([HASH, ROOT]);
    entry
}

fn adopted() -> Value {
    json!({"size": 2, "time": 1_800_000_003_000u64, "type": "adopted"})
}

fn forgotten() -> Value {
    json!({"before": 512, "time": 1_800_000_003_500u64, "type": "forgotten"})
}

fn vkey(name: &str, seed: u8) -> String {
    use attest_core::note::{Kind, Vkey};
    use attest_core::sign::Sign as _;
    Vkey::new(name, Kind::Log, super::token::key(seed).public().clone()).unwrap().to_string()
}

fn witness_vkey() -> String {
    use attest_core::note::{Kind, Vkey};
    use attest_core::sign::Sign as _;
    Vkey::new("files", Kind::Witness, super::token::key(6).public().clone()).unwrap().to_string()
}

fn vector(name: &str, comment: &str, body: impl Into<Vec<u8>>, expect: &str) -> Vector {
    Vector::new("entry", format!("entry_{name}"), comment, body).with("expect", expect)
}

fn good(name: &str, comment: &str, entry: &Value) -> Vector {
    vector(name, comment, canonical(entry), "accept")
}

/// `entry` with a member set, or with `Null` taken away; what is expected is of that member.
fn with(name: &str, comment: &str, mut entry: Value, member: &str, value: Value, expect: &str) -> Vector {
    let object = entry.as_object_mut().unwrap();
    match value {
        Value::Null => drop(object.remove(member).unwrap()),
        value => drop(object.insert(member.to_owned(), value)),
    }
    vector(name, comment, canonical(&entry), expect).with("about", member)
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let absent = |mut entry: Value, member: &str| {
        entry.as_object_mut().unwrap().remove(member).unwrap();
        entry
    };
    let other_method = |entry: Value| {
        let mut entry = absent(entry, "tool");
        entry["method"] = json!("notifications/progress");
        entry
    };
    let noted = |entry: Value| {
        let mut entry = other_method(entry);
        entry["notification"] = json!(true);
        entry
    };
    let about = |mut entry: Value| {
        entry["reason"] = json!("state-mismatch");
        entry["about"] = json!("system-prompt");
        entry
    };
    let mut all = vec![
        good("start", "a verifier starts", &start()),
        good("start_shared", "a verifier starts, and others may be writing too", &shared_start()),
        good("config", "a verifier goes on with another configuration", &config()),
        with(
            "config_no_policy",
            "another configuration without its digest",
            config(),
            "policy",
            Value::Null,
            "missing",
        ),
        with(
            "config_version",
            "a version, which stands in a start alone",
            config(),
            "version",
            json!("0.1.0"),
            "unknown",
        ),
        with("config_audience_empty", "no audience", config(), "audience", json!(""), "invalid"),
        good("allow", "a call is let through", &allow()),
        good("allow_method", "a call of another method", &other_method(allow())),
        good("allow_notification", "a notification, which has no outcome", &noted(allow())),
        good("allow_name_escaped", "a tool's name with a character that canonical form escapes", &{
            let mut entry = allow();
            entry["tool"] = json!("read\"file\\");
            entry
        }),
        good("deny", "a call is refused", &deny()),
        good("deny_about", "a call is refused for a component", &about(deny())),
        good("outcome", "a call ended", &outcome()),
        good("outcome_unknown", "a caller's restart closes a call", &{
            let mut entry = absent(absent(outcome(), "audience"), "result");
            entry["status"] = json!("unknown");
            entry
        }),
        good("refused", "refusals, counted", &refused()),
        good("context", "a signer starts", &context()),
        good("call", "a call was signed", &call()),
        good("call_notification", "a notification was signed", &noted(call())),
        good("receipt", "a receipt that holds", &receipt()),
        good("receipt_bad", "a receipt that does not hold", &bad_receipt()),
        good("receipt_none", "no receipt, where one had to come", &no_receipt()),
        good("key", "the log's key changes", &key()),
        good("accepted", "a person accepted a state", &accepted()),
        with(
            "accepted_component_unknown",
            "a component outside the set",
            accepted(),
            "component",
            json!("mood"),
            "invalid",
        ),
        with("accepted_by_empty", "nobody accepted it", accepted(), "by", json!(""), "invalid"),
        with("accepted_reason_lines", "a reason of two lines", accepted(), "reason", json!("one\ntwo"), "invalid"),
        good("closed", "a person looked at an alert", &closed()),
        with("closed_by_empty", "nobody closed it", closed(), "by", json!(""), "invalid"),
        with("closed_alert_text", "an index that is no number", closed(), "alert", json!("17"), "invalid"),
        good("allow_lineage", "a call whose caller had seen something", &lineage()),
        good("allow_facts", "a call that policies were asked about", &{
            let mut entry = allow();
            entry["facts"] = json!(HASH);
            entry
        }),
        good("allow_approved", "a call that two persons approved", &{
            let mut entry = allow();
            entry["approved"] = json!([HASH, LEAF]);
            entry
        }),
        with("allow_approved_none", "an empty list of approvals", allow(), "approved", json!([]), "invalid"),
        with("allow_facts_short", "facts of 42 characters", allow(), "facts", json!(&HASH[..42]), "invalid"),
        good("allow_every_label", "a call whose caller had seen anything", &{
            let mut entry = allow();
            entry["labels"] = json!(["*"]);
            entry
        }),
        good("allow_16_receipts", "a call that showed 16 receipts, the most", &{
            let mut entry = allow();
            entry["receipts"] = json!(vec![HASH; 16]);
            entry
        }),
        with("allow_17_receipts", "17 receipts", allow(), "receipts", json!(vec![HASH; 17]), "invalid"),
        with("allow_receipts_none", "an empty list of receipts", lineage(), "receipts", json!([]), "invalid"),
        with("allow_receipts_text", "a receipt that is in no list", lineage(), "receipts", json!(HASH), "invalid"),
        with("allow_labels_none", "an empty list of labels", lineage(), "labels", json!([]), "invalid"),
        with("allow_labels_order", "labels that are not ascending", lineage(), "labels", json!(["b", "a"]), "invalid"),
        with("allow_labels_text", "labels in one string", lineage(), "labels", json!("hr pay"), "invalid"),
        with("allow_cause_short", "a cause of 42 characters", lineage(), "cause", json!(&HASH[..42]), "invalid"),
        with(
            "allow_declassified_none",
            "an empty list of declassifications",
            lineage(),
            "declassified",
            json!([]),
            "invalid",
        ),
        with(
            "allow_declassified_5",
            "five declassifications",
            lineage(),
            "declassified",
            json!(vec![HASH; 5]),
            "invalid",
        ),
        with("deny_labels", "a refusal with labels", deny(), "labels", json!(["hr"]), "unknown"),
        with("call_labels", "a caller's entry with labels", call(), "labels", json!(["hr"]), "unknown"),
        good("deny_flow", "a refusal for labels", &{
            let mut entry = deny();
            entry["about"] = json!("hr pay");
            entry["reason"] = json!("flow-not-granted");
            entry
        }),
        good("used", "a declassification is used", &used()),
        with("used_token_short", "a hash of 42 characters", used(), "token", json!(&HASH[..42]), "invalid"),
        good("adopted", "the log was taken over by hand", &adopted()),
        good("forgotten", "tokens of old entries were let go", &forgotten()),
        good("time_zero", "the earliest time", &{
            let mut entry = adopted();
            entry["time"] = json!(0);
            entry
        }),
        vector("empty", "no bytes", "", "not-strict-json"),
        vector("not_json", "no JSON", "entry", "not-strict-json"),
        vector(
            "member_twice",
            "the same member twice",
            r#"{"size":2,"size":2,"time":1,"type":"adopted"}"#,
            "duplicate-member",
        ),
        vector("array", "no object", "[]", "not-an-object"),
        vector(
            "white_space",
            "a blank that canonical form has not",
            r#"{"size":2, "time":1,"type":"adopted"}"#,
            "not-canonical",
        ),
        vector("line_feed", "a line feed behind it", "{\"size\":2,\"time\":1,\"type\":\"adopted\"}\n", "not-canonical"),
        vector("order", "members in another order", r#"{"time":1,"size":2,"type":"adopted"}"#, "not-canonical"),
        vector(
            "escape",
            "an escape that canonical form has not",
            r#"{"size":2,"time":1,"type":"a\u0064opted"}"#,
            "not-canonical",
        ),
        vector(
            "number_spelling",
            "a number in another spelling",
            r#"{"size":2.0,"time":1,"type":"adopted"}"#,
            "not-canonical",
        ),
        vector("too_long", "one byte more than an entry may have", long(), "too-long"),
        with("no_type", "no type", adopted(), "type", Value::Null, "missing"),
        with("type_unknown", "a type that this version does not know", adopted(), "type", json!("note"), "invalid"),
        with("type_number", "a type that is no string", adopted(), "type", json!(7), "invalid"),
        with("no_decision", "a decision that decides nothing", allow(), "decision", Value::Null, "missing"),
        with("decision_other", "a decision of a third kind", allow(), "decision", json!("maybe"), "invalid"),
        with(
            "null_member",
            "a member that may be absent is null",
            {
                let mut entry = outcome();
                entry["result"] = Value::Null;
                entry
            },
            "status",
            json!("result"),
            "invalid",
        )
        .with("about", "result"),
        with("delegation_empty", "a chain without a token", allow(), "delegation", json!([]), "invalid"),
        with(
            "delegation_ten",
            "a chain of more than nine tokens",
            allow(),
            "delegation",
            json!(vec![LEAF; 10]),
            "invalid",
        ),
        with("delegation_text", "a chain that is no array", allow(), "delegation", json!(LEAF), "invalid"),
        with("delegation_number", "a hash of the chain is a number", allow(), "delegation", json!([1]), "invalid"),
        with("call_short", "a hash of 42 characters", allow(), "call", json!(&CALL[..42]), "invalid"),
        with(
            "call_stray_bit",
            "a hash with an unused bit set",
            allow(),
            "call",
            json!("x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHN"),
            "invalid",
        ),
        with("call_padded", "a hash with padding", outcome(), "call", json!(format!("{CALL}=")), "invalid"),
        with(
            "call_standard_alphabet",
            "a hash in the other alphabet",
            allow(),
            "policy",
            json!(POLICY.replace('-', "+").replace('_', "/")),
            "invalid",
        ),
        with("context_long", "a context of 32 bytes", allow(), "context", json!(HASH), "invalid"),
        with("tool_empty", "a tool without a name", allow(), "tool", json!(""), "invalid"),
        with("tool_control", "a control character in a name", allow(), "tool", json!("read\u{7f}file"), "invalid"),
        with("agent_long", "a name of 257 bytes", allow(), "agent", json!("a".repeat(257)), "invalid"),
        with("tool_and_method", "a tool and a method", allow(), "method", json!("tools/list"), "unknown"),
        with("neither_tool_nor_method", "neither tool nor method", allow(), "tool", Value::Null, "missing"),
        with(
            "method_tools_call",
            "the method that is not named",
            absent(allow(), "tool"),
            "method",
            json!("tools/call"),
            "invalid",
        ),
        with(
            "notification_false",
            "a mark that would be left out",
            other_method(allow()),
            "notification",
            json!(false),
            "invalid",
        ),
        with(
            "notification_tool",
            "a tools/call that is a notification",
            allow(),
            "notification",
            json!(true),
            "invalid",
        ),
        with(
            "deny_notification",
            "a refusal that is marked",
            other_method(deny()),
            "notification",
            json!(true),
            "unknown",
        ),
        with(
            "allow_reason",
            "a call that was let through, with a reason",
            allow(),
            "reason",
            json!("replay"),
            "unknown",
        ),
        with("deny_params", "a refusal with parameters", deny(), "params", json!(PARAMS), "unknown"),
        with("deny_no_reason", "a refusal without a reason", deny(), "reason", Value::Null, "missing"),
        with("deny_reason_unknown", "a reason outside the set", deny(), "reason", json!("because"), "invalid"),
        with("deny_reason_wire", "a reason of the wire", deny(), "reason", json!("malformed"), "invalid"),
        with("status_unknown", "a status outside the set", outcome(), "status", json!("done"), "invalid"),
        with("count_zero", "no refusal at all", refused(), "count", json!(0), "invalid"),
        with("time_fraction", "a fraction of a millisecond", outcome(), "time", json!(1.5), "invalid"),
        with("time_negative", "a time before 1970", outcome(), "time", json!(-1), "invalid"),
        with("time_text", "a time as text", outcome(), "time", json!("1800000000040"), "invalid"),
        vector("time_huge", "a time of 2^53", r#"{"size":2,"time":9007199254740992,"type":"adopted"}"#, "number-range"),
        with("key_same", "a key that stays the same", key(), "key", json!(vkey("files", 5)), "invalid"),
        with("key_other_name", "a key of another name", key(), "key", json!(vkey("mail", 6)), "invalid"),
        with("key_of_a_witness", "a key of a witness", key(), "key", json!(witness_vkey()), "invalid"),
        with(
            "key_other_id",
            "an id that is not the key's",
            key(),
            "key",
            json!(vkey("files", 6).replacen('+', "+0", 1)),
            "invalid",
        ),
        with(
            "receipt_check_unknown",
            "a check that came to something else",
            no_receipt(),
            "check",
            json!("good"),
            "invalid",
        ),
        with(
            "receipt_check_other",
            "a reason that is not that of the defect",
            bad_receipt(),
            "check",
            json!("no-receipt"),
            "invalid",
        ),
        with("receipt_about_unknown", "a defect outside the set", bad_receipt(), "about", json!("colour"), "invalid"),
        with("receipt_index_outside", "an index that the tree has not", receipt(), "index", json!(2), "invalid"),
        with(
            "receipt_about_and_ok",
            "a receipt that holds, and a defect",
            receipt(),
            "about",
            json!("result"),
            "unknown",
        ),
        with(
            "receipt_bad_index",
            "an index, of a receipt that does not hold",
            bad_receipt(),
            "index",
            json!(1),
            "unknown",
        ),
        with("start_shared_false", "a mark that is there, and false", start(), "shared", json!(false), "invalid"),
        with("start_shared_number", "a mark that is a number", start(), "shared", json!(1), "invalid"),
        with(
            "config_shared",
            "another configuration, of several verifiers",
            config(),
            "shared",
            json!(true),
            "unknown",
        ),
        with("forgotten_before_text", "an index that is no number", forgotten(), "before", json!("512"), "invalid"),
        with("version_number", "a version that is no name", context(), "version", json!(1), "invalid"),
    ];
    for (kind, entry, missing) in [
        ("start", start(), &["audience", "policy", "time", "version"][..]),
        (
            "allow",
            allow(),
            &["agent", "attestation", "audience", "call", "context", "delegation", "key", "params", "policy", "time"],
        ),
        ("deny", deny(), &["agent", "audience", "call", "key", "policy", "time"]),
        ("outcome", outcome(), &["call", "status", "time"]),
        ("refused", refused(), &["audience", "count", "reason", "since", "time"]),
        ("context", context(), &["agent", "context", "time", "version"]),
        ("call", call(), &["attestation", "audience", "call", "context", "delegation", "params", "time"]),
        ("receipt", receipt(), &["audience", "call", "check", "index", "log", "receipt", "size", "time"]),
        ("receipt_bad", bad_receipt(), &["about", "audience", "call", "time"]),
        ("key", key(), &["key", "previous", "time"]),
        ("accepted", accepted(), &["agent", "audience", "by", "component", "digest", "reason", "since", "time"]),
        ("closed", closed(), &["alert", "audience", "by", "reason", "since", "time"]),
        ("used", used(), &["audience", "call", "time", "token"]),
        ("adopted", adopted(), &["size", "time"]),
        ("forgotten", forgotten(), &["before", "time"]),
    ] {
        for member in missing {
            let name = format!("{kind}_no_{member}");
            let comment = format!("a member that every such entry has is not there: {member}");
            all.push(with(&name, &comment, entry.clone(), member, Value::Null, "missing"));
        }
        let comment = "a member that no such entry has";
        all.push(with(&format!("{kind}_unknown_member"), comment, entry, "note", json!("x"), "unknown"));
    }
    all
}

/// 65,536 bytes that are an entry but for their number and for the name.
fn long() -> Vec<u8> {
    let mut entry = context();
    let empty = canonical(&entry).len() - "0.1.0".len();
    entry["version"] = json!("9".repeat(65_536 - empty));
    canonical(&entry)
}
