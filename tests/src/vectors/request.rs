//! The family `request`: which bytes are a call, and the tricks that made real servers run a call that nobody had seen.

mod attested;

use serde_json::{Value, json};

use super::call::Call;
use super::file::Vector;
use super::token::{canonical, swap};

fn vector(name: &str, comment: &str, body: impl Into<Vec<u8>>) -> Vector {
    Vector::request(format!("request_{name}"), comment, body)
}

/// A piece of the signed message's text, replaced.
fn swapped(code: &str, name: &str, comment: &str, from: &str, to: impl AsRef<[u8]>) -> Vector {
    vector(name, comment, Call::default().sign().swapped(from, to)).refused(code)
}

/// Changed before it is signed.
fn signed(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    vector(name, comment, Call::with(|call| edit(&mut call.request)).bytes()).refused(code)
}

/// The signed message in another spelling, which is forwarded in the canonical one.
fn respelt(name: &str, comment: &str, call: &Call, from: &str, to: &str) -> Vector {
    vector(name, comment, call.sign().swapped(from, to)).accepted(&call.forward())
}

fn with_argument(value: Value) -> Call {
    Call::with(|call| call.params()["arguments"]["path"] = value)
}

const METHOD: &str = r#""method":"tools/call""#;

fn tricks() -> Vec<Vector> {
    let call = Call::default();
    let message = call.bytes();
    let text = String::from_utf8(message.clone()).unwrap();
    let utf_16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let both = |a: &[u8], b: &[u8]| [a, b].concat();
    vec![
        vector("batch", "a JSON array of one call", both(b"[", &both(&message, b"]"))).refused("not-strict-json"),
        vector("batch_empty", "an empty JSON array", "[]").refused("not-strict-json"),
        vector("text", "a JSON string", "\"tools/call\"").refused("not-strict-json"),
        swapped(
            "duplicate-member",
            "duplicate_method",
            "method twice, the call last",
            METHOD,
            format!(r#""method":"ping",{METHOD}"#),
        ),
        swapped(
            "duplicate-member",
            "duplicate_method_first",
            "method twice, the call first",
            METHOD,
            format!(r#"{METHOD},"method":"ping""#),
        ),
        swapped(
            "duplicate-member",
            "duplicate_method_escaped",
            "method twice, once spelt with an escape",
            METHOD,
            format!(r#"{METHOD},"m\u0065thod":"ping""#),
        ),
        swapped(
            "duplicate-member",
            "duplicate_name",
            "the tool's name twice",
            r#""name":"read_file""#,
            r#""name":"read_file","name":"write_file""#,
        ),
        swapped(
            "duplicate-member",
            "duplicate_argument",
            "an argument twice",
            r#""path":"#,
            r#""path":"/etc/shadow","path":"#,
        ),
        vector(
            "duplicate_deep",
            "a member twice, deep inside an argument",
            with_argument(json!([{"a": {"b": 1}}])).sign().swapped(r#"{"b":1}"#, r#"{"b":1,"c":2,"b":3}"#),
        )
        .refused("duplicate-member"),
        respelt(
            "escaped_method",
            "tools/call spelt with an escape is a call",
            &call,
            "tools/call\"",
            "tools\\u002fcall\"",
        ),
        respelt(
            "escaped_slash",
            "tools/call spelt with an escaped slash is a call",
            &call,
            "tools/call\"",
            "tools\\/call\"",
        ),
        vector(
            "escaped_method_no_proof",
            "tools/call spelt with an escape and no proof: it does not pass as another method",
            swap(canonical(&call.request), "tools/call", "tools\\u002fcall"),
        )
        .refused("no-proof"),
        vector("byte_order_mark", "a byte-order mark in front", both(b"\xef\xbb\xbf", &message))
            .refused("not-strict-json"),
        vector("utf_16_le", "UTF-16, little-endian", utf_16(u16::to_le_bytes)).refused("not-strict-json"),
        vector("utf_16_be", "UTF-16, big-endian", utf_16(u16::to_be_bytes)).refused("not-strict-json"),
        vector("gzip", "the message in gzip", gzip(&message)).refused("not-strict-json"),
        vector("two_messages", "two messages, one after the other", both(&message, &message))
            .refused("not-strict-json"),
        vector(
            "two_lines",
            "another message in front, on a line of its own",
            both(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n", &message),
        )
        .refused("not-strict-json"),
        vector("nul_behind", "a NUL behind the message", both(&message, b"\0")).refused("not-strict-json"),
        swapped("not-strict-json", "bad_utf_8", "an argument that is not UTF-8", "/srv/report.txt", b"/srv/\xff"),
        swapped(
            "not-strict-json",
            "lone_surrogate",
            "an argument with half of a surrogate pair",
            "/srv/report.txt",
            "/srv/\\ud800",
        ),
        swapped("number-range", "number_2_53", "an argument of 2^53", r#""/srv/report.txt""#, "9007199254740992"),
        swapped(
            "number-range",
            "number_2_53_fraction",
            "an argument of 2^53 with a fraction of zero",
            r#""/srv/report.txt""#,
            "9007199254740992.0",
        ),
        swapped("number-range", "number_1e20", "an argument of 10^20", r#""/srv/report.txt""#, "1e20"),
        swapped(
            "number-range",
            "number_1e400",
            "an argument that is too large for a double",
            r#""/srv/report.txt""#,
            "1e400",
        ),
        swapped("number-range", "id_2_64", "an id of 2^64", r#""id":7"#, r#""id":18446744073709551616"#),
        vector(
            "too_deep",
            "an argument nested too deeply",
            call.sign().swapped(r#""/srv/report.txt""#, [vec![b'['; 80], vec![b']'; 80]].concat()),
        )
        .refused("too-large"),
    ]
}

fn wrong_case() -> Vec<Vector> {
    let mut all: Vec<Vector> = [
        ("method_case", "Method beside method", "Method"),
        ("method_upper_case", "METHOD beside method", "METHOD"),
        ("id_case", "Id beside id", "Id"),
        ("params_case", "PARAMS beside params", "PARAMS"),
        ("params_long_s", "params with a long s (U+017F), which Go folds to s", "param\u{17f}"),
        ("jsonrpc_long_s", "jsonrpc with a long s (U+017F), which Go folds to s", "j\u{17f}onrpc"),
        ("result_long_s", "result with a long s (U+017F), which Go folds to s", "re\u{17f}ult"),
    ]
    .iter()
    .map(|(name, comment, member)| {
        swapped("bad-request", name, comment, METHOD, format!(r#""{member}":null,{METHOD}"#))
    })
    .collect();
    let other = |name: &str, comment: &str, body: &str| vector(name, comment, body);
    all.extend([
        other(
            "hidden_call",
            "a harmless method, and METHOD for servers that compare without regard to case",
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call","params":{"name":"read_file"}}"#,
        )
        .refused("bad-request"),
        other(
            "method_with_nul",
            "a method that a reader in C cuts to tools/call",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000","params":{"name":"read_file"}}"#,
        )
        .refused("bad-request"),
        other(
            "member_with_nul",
            "a member that a reader in C cuts to method",
            r#"{"jsonrpc":"2.0","id":1,"method\u0000":"tools/call","params":{"name":"read_file"}}"#,
        )
        .refused("bad-request"),
        other(
            "hidden_in_a_prototype",
            "a member that a copy made by assignment in JavaScript takes its method from",
            r#"{"__proto__":{"method":"tools/call","params":{"name":"read_file"}},"id":1,"jsonrpc":"2.0"}"#,
        )
        .refused("bad-request"),
        other(
            "method_in_an_array",
            "a method that some servers convert to tools/call",
            r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"read_file"}}"#,
        )
        .refused("bad-request"),
        other(
            "hidden_call_alone",
            "no method but Method",
            r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call","params":{"name":"read_file"}}"#,
        )
        .refused("bad-request"),
        other(
            "hidden_params",
            "another method with params a second time, spelt with a long s",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{},\"param\u{17f}\":{}}",
        )
        .refused("bad-request"),
        signed("bad-request", "task_kelvin", "task spelt with a Kelvin sign (U+212A), which Go folds to k", |r| {
            r["params"]["tas\u{212a}"] = json!({});
        }),
        signed("bad-request", "name_case", "Name beside name", |r| r["params"]["Name"] = json!("write_file")),
        signed("bad-request", "arguments_case", "Arguments beside arguments", |r| r["params"]["Arguments"] = json!({})),
        signed("bad-request", "input_responses", "input_responses, which Python servers read as inputResponses", |r| {
            r["params"]["input_responses"] = json!({});
        }),
        signed("bad-request", "meta_alias", "meta, which Python servers read as _meta", |r| {
            r["params"]["meta"] = json!({})
        }),
    ]);
    all
}

/// A call of 2026-07-28 without a proof, by a client of these capabilities.
fn undeclared(capabilities: &Value) -> Vec<u8> {
    let meta = json!({
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    });
    canonical(
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": meta, "name": "read_file"}}),
    )
}

fn shapes() -> Vec<Vector> {
    let call = Call::default();
    let signed_without = |code: &str, name: &str, comment: &str, member: &str| {
        signed(code, name, comment, |r| drop(r.as_object_mut().unwrap().remove(member)))
    };
    vec![
        vector("no_proof", "a call without a proof", call.forward()).refused("no-proof"),
        vector("no_meta", "a call without _meta", canonical(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_file"}})))
            .refused("no-proof"),
        vector("undeclared", "no proof, from a modern client that did not declare the extension", undeclared(&json!({})))
            .refused("no-proof")
            .about("extension"),
        vector("declared", "no proof, from a modern client that declared the extension",
            undeclared(&json!({"extensions": {attest_core::names::EXTENSION: {}}}))).refused("no-proof"),
        vector("meta_empty", "a call with an empty _meta",
            canonical(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"_meta": {}, "name": "read_file"}}))).refused("no-proof"),
        vector("no_params", "a call without params", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#).refused("bad-request"),
        vector("params_array", "params by position", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["read_file"]}"#).refused("bad-request"),
        vector("meta_text", "a _meta that is a string",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":"x","name":"read_file"}}"#).refused("bad-request"),
        signed_without("no-id", "no_id", "a call without id, whose outcome nobody could be told", "id"),
        signed("no-id", "id_null", "an id that is null", |r| r["id"] = Value::Null),
        signed("no-id", "id_true", "an id that is true", |r| r["id"] = json!(true)),
        signed("no-id", "id_1e21", "an id of 10^21, which its neighbours share", |r| r["id"] = json!(1e21)),
        signed("no-id", "id_minus_1e21", "an id of -(10^21)", |r| r["id"] = json!(-1e21)),
        signed("no-id", "id_object", "an id that is an object", |r| r["id"] = json!({})),
        signed("bad-request", "tool_number", "a tool that is a number", |r| r["params"]["name"] = json!(7)),
        signed("bad-request", "tool_array", "a tool that is an array", |r| r["params"]["name"] = json!(["read_file"])),
        signed("bad-request", "tool_empty", "a tool without a name", |r| r["params"]["name"] = json!("")),
        signed("bad-request", "tool_nul", "a tool with a NUL in its name", |r| r["params"]["name"] = json!("read_file\0")),
        signed("bad-request", "tool_line_feed", "a tool with a line feed in its name", |r| r["params"]["name"] = json!("read_file\n")),
        signed("bad-request", "tool_long", "a tool with a name of 257 bytes", |r| r["params"]["name"] = json!("t".repeat(257))),
        signed("bad-request", "tool_long_in_bytes", "a tool with a name of 129 characters and 258 bytes", |r| {
            r["params"]["name"] = json!("\u{e9}".repeat(129));
        }),
        signed("bad-request", "tool_c1_first", "a tool with U+0080 in its name", |r| {
            r["params"]["name"] = json!("read_file\u{80}");
        }),
        signed("bad-request", "tool_c1_last", "a tool with U+009F in its name", |r| {
            r["params"]["name"] = json!("read_file\u{9f}");
        }),
        signed("bad-request", "tool_delete", "a tool with U+007F in its name", |r| {
            r["params"]["name"] = json!("read_file\u{7f}");
        }),
        signed("bad-request", "arguments_array", "arguments that are an array", |r| r["params"]["arguments"] = json!(["/srv/report.txt"])),
        signed("bad-request", "arguments_null", "arguments that are null", |r| r["params"]["arguments"] = Value::Null),
        signed("bad-request", "arguments_text", "arguments as JSON within a string", |r| {
            r["params"]["arguments"] = json!(r#"{"path":"/srv/report.txt"}"#);
        }),
        signed("bad-request", "extra_member", "a member that a request does not have", |r| r["extensions"] = json!({})),
        signed("bad-request", "result_beside_method", "a request that is a response too", |r| r["result"] = json!({})),
        signed("bad-request", "extra_param", "a member that params does not have", |r| r["params"]["cursor"] = json!("x")),
        {
            let call = Call::with(|c| drop(c.request.as_object_mut().unwrap().remove("jsonrpc")));
            vector("no_jsonrpc", "no jsonrpc: the server answers that itself", call.bytes()).accepted(&call.forward())
        },
        {
            let call = Call::with(|c| {
                c.params()["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"extensions": {}, "roots": {}});
            });
            vector("capabilities", "client capabilities pass as they are: a verifier declares nothing", call.bytes())
                .accepted(&call.forward())
        },
        {
            let call = Call::with(|c| c.request["id"] = json!("a-\u{e9}"));
            vector("id_text", "an id that is a string", call.bytes()).accepted(&call.forward())
        },
        {
            let call = Call::with(|c| c.request["id"] = json!(1.5));
            vector("id_fraction", "an id with a fraction", call.bytes()).accepted(&call.forward())
        },
    ]
}

fn spellings() -> Vec<Vector> {
    let call = Call::default();
    let magic = |key: &str| with_argument(json!({key: "\"/etc/shadow\""}));
    let raw = magic("$serde_json::private::RawValue");
    let number = magic("$serde_json::private::Number");
    let pretty = {
        let mut message = call.request.clone();
        message["params"]["_meta"][attest_core::names::PROOF] = call.sign().carrier;
        serde_json::to_string_pretty(&super::token::sorted(&message)).unwrap()
    };
    vec![
        vector("white_space", "white space anywhere; the canonical bytes are forwarded", format!("\r\n{pretty}\n\t"))
            .accepted(&call.forward()),
        respelt("order", "members in another order", &call, r#""id":7,"jsonrpc":"2.0","#, r#""jsonrpc":"2.0","id":7,"#),
        respelt(
            "escaped_argument",
            "an argument spelt with an escape",
            &call,
            "/srv/report.txt",
            "\\u002fsrv\\/report\\u002etxt",
        ),
        respelt(
            "escaped_name",
            "a member's name spelt with an escape",
            &call,
            r#""arguments":"#,
            r#""argument\u0073":"#,
        ),
        respelt(
            "number_fraction",
            "1.0 is signed and forwarded as 1",
            &with_argument(json!(1)),
            r#""path":1}"#,
            r#""path":1.0}"#,
        ),
        respelt(
            "number_minus_zero",
            "-0 is signed and forwarded as 0",
            &with_argument(json!(0)),
            r#""path":0}"#,
            r#""path":-0}"#,
        ),
        respelt(
            "number_1e21",
            "10^21 is signed and forwarded as 1e+21",
            &with_argument(json!(1e21)),
            r#""path":1e+21}"#,
            r#""path":1000000000000000000000}"#,
        ),
        vector("magic_raw_value", "the magic key of serde_json's raw_value stays an object", raw.bytes())
            .accepted(&raw.forward()),
        vector("magic_number", "the magic key of serde_json's arbitrary_precision stays an object", number.bytes())
            .accepted(&number.forward()),
        {
            let call = with_argument(json!("a\0b"));
            vector("argument_nul", "a NUL in an argument is the server's matter", call.bytes())
                .accepted(&call.forward())
        },
    ]
}

fn others() -> Vec<Vector> {
    let passes = |name: &str, comment: &str, body: &str| vector(name, comment, body).passes();
    vec![
        passes("other_method", "another method", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#),
        passes("notification", "a notification", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
        passes("response", "a response", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
        passes("error", "an error without an id", r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}"#),
        passes(
            "no_method",
            "neither request nor response: the server answers that itself",
            r#"{"jsonrpc":"2.0","id":1}"#,
        ),
        passes("method_number", "a method that is a number", r#"{"jsonrpc":"2.0","id":1,"method":7}"#),
        passes(
            "other_method_case",
            "tools/call in another case is another method",
            r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"read_file"}}"#,
        ),
        passes(
            "method_prefix",
            "a method that begins like tools/call",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call2"}"#,
        ),
        passes(
            "call_in_params",
            "a call inside the parameters of another method",
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"method":"tools/call","Method":1}}"#,
        ),
    ]
}

/// A gzip stream of one stored block (RFC 1952, RFC 1951 section 3.2.4).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(bytes);
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    out
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [tricks(), wrong_case(), shapes(), spellings(), others(), attested::vectors()].concat()
}
