//! Header fields: lines that are none, and fields that say something else than the body.

use super::trick::{Behind::*, Call, Row};

/// A call of 2026-07-28, which says in its header fields what the body says.
fn modern(c: &Call<'_>, headers: &str) -> Vec<u8> {
    c.post(&format!("Mcp-Protocol-Version: 2026-07-28\r\n{headers}"), c.modern())
}

pub const ROWS: &[Row] = &[
    ("a call of 2025-11-25", Counted("no-proof"), |c| c.post("", &c.text)),
    ("a call of 2026-07-28", Counted("no-proof"), |c| modern(c, "Mcp-Method: tools/call\r\nMcp-Name: count\r\n")),
    ("2026-07-28, without Mcp-Method and Mcp-Name", Refused, |c| modern(c, "")),
    ("2026-07-28, Mcp-Method of another method", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: ping\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28, Mcp-Method in another case", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: Tools/Call\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28, Mcp-Method twice, the first right", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Method: ping\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28, Mcp-Method twice, the last right", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: ping\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28, Mcp-Method twice, both right", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28, Mcp-Name of another tool", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: other\r\n")
    }),
    ("2026-07-28, Mcp-Name in another case", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: Count\r\n")
    }),
    ("2026-07-28, Mcp-Name twice", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: other\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28, Mcp-Name in base64", Counted("no-proof"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: =?base64?Y291bnQ=?=\r\n")
    }),
    ("2026-07-28, Mcp-Name of another tool in base64", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: =?base64?b3RoZXI=?=\r\n")
    }),
    ("2026-07-28, Mcp-Name in base64 without padding", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: =?base64?Y291bnQ?=\r\n")
    }),
    ("2026-07-28, Mcp-Name in base64 with stray bits", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: =?base64?Y291bnR=?=\r\n")
    }),
    ("2026-07-28, Mcp-Name in BASE64", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: tools/call\r\nMcp-Name: =?BASE64?Y291bnQ=?=\r\n")
    }),
    ("2026-07-28, Mcp-Method in base64", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Method: =?base64?dG9vbHMvY2FsbA==?=\r\nMcp-Name: count\r\n")
    }),
    ("2026-07-28 in the field, 2025-11-25 in the body", Refused, |c| {
        c.post("Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n", &c.text)
    }),
    ("a version twice", Counted("header-mismatch"), |c| {
        modern(c, "Mcp-Protocol-Version: 2025-11-25\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n")
    }),
    ("a version that there is not", Counted("no-proof"), |c| c.post("Mcp-Protocol-Version: 1999-01-01\r\n", &c.text)),
    ("2025-11-25, Mcp-Method of another method", Counted("header-mismatch"), |c| {
        c.post("Mcp-Method: ping\r\n", &c.text)
    }),
    ("2025-11-25, Mcp-Name of another tool", Counted("header-mismatch"), |c| c.post("Mcp-Name: other\r\n", &c.text)),
    ("a session that there is not", Counted("no-proof"), |c| c.post("Mcp-Session-Id: x\r\n", &c.text)),
    ("a ping with Mcp-Method of a call", Counted("header-mismatch"), |c| {
        c.post("Mcp-Method: tools/call\r\nMcp-Name: count\r\n", r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
    }),
    ("a folded line", NoRequest, |c| c.post("X-A: b\r\n c\r\n", &c.text)),
    ("a folded Mcp-Method", NoRequest, |c| c.post("Mcp-Method: ping\r\n tools/call\r\n", &c.text)),
    ("a line without a colon", NoRequest, |c| c.post("X-A\r\n", &c.text)),
    ("a line without a name", NoRequest, |c| c.post(": b\r\n", &c.text)),
    ("a space in a name", NoRequest, |c| c.post("X A: b\r\n", &c.text)),
    ("a space before a colon", NoRequest, |c| c.post("X-A : b\r\n", &c.text)),
    ("a carriage return in a value", NoRequest, |c| c.post("X-A: b\rMcp-Method: ping\r\n", &c.text)),
    ("a carriage return and a length in a value", NoRequest, |c| c.post("X-A: b\rContent-Length: 5\r\n", &c.text)),
    ("a NUL in a value", NoRequest, |c| c.post("X-A: b\0c\r\n", &c.text)),
    ("a NUL in a name", NoRequest, |c| c.post("X-\0A: b\r\n", &c.text)),
    ("a line ended by a line feed alone", NoRequest, |c| c.post("X-A: b\n", &c.text)),
    ("a head ended by line feeds alone", NoRequest, |c| {
        let request = String::from_utf8(c.post("", &c.text)).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        format!("{}\n\n{body}", head.replace("\r\n", "\n")).into_bytes()
    }),
    ("a head ended after a carriage return", NoRequest, |c| c.post("X-A: b\r\n\rX-B: c\r\n", &c.text)),
    ("a value with a byte that is no UTF-8", Counted("no-proof"), |c| {
        let request = c.post("X-A: ?\r\n", &c.text);
        let at = request.iter().position(|byte| *byte == b'?').unwrap();
        [&request[..at], b"\xff", &request[at + 1..]].concat()
    }),
    ("a head of 200,000 bytes", NoRequest, |c| c.post(&format!("X-A: {}\r\n", "b".repeat(200_000)), &c.text)),
    ("500 fields", NoRequest, |c| c.post(&"X-A: b\r\n".repeat(500), &c.text)),
    ("two hosts", NoRequest, |c| c.post("Host: elsewhere.example\r\n", &c.text)),
    ("a field that the connection is to drop", Refused, |c| {
        let request = modern(c, "Mcp-Method: ping\r\nMcp-Name: count\r\n");
        super::trick::replaced(&request, "Connection: close", "Connection: close, mcp-method")
    }),
    ("an underscore for a hyphen", Counted("no-proof"), |c| {
        c.post("Mcp_Method: ping\r\nContent_Length: 3\r\n", &c.text)
    }),
];
