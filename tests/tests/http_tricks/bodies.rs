//! Bodies: bytes that some reader takes for a call, and another for something else or for nothing.

use std::io::Write as _;

use super::trick::{Behind::*, Row};

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// The text in UTF-7 (RFC 2152), every character but letters and digits in its shifted form.
fn utf7(text: &str) -> String {
    let shifted = |c: char| {
        let [high, low] = u16::try_from(u32::from(c)).unwrap().to_be_bytes();
        let digit =
            |n: u8| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[usize::from(n)]);
        let digits = [digit(high >> 2), digit((high & 3) << 4 | low >> 4), digit((low & 15) << 2)];
        format!("+{}-", digits.iter().collect::<String>())
    };
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { shifted(c) }).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

fn zlib(text: &str) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
const MODERN: &str = "Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n";

pub const ROWS: &[Row] = &[
    ("an array", Counted("not-strict-json"), |c| c.post("", format!("[{}]", c.text))),
    ("an array with a ping before it", Counted("not-strict-json"), |c| c.post("", format!("[{PING},{}]", c.text))),
    ("an array in an array", Counted("not-strict-json"), |c| c.post("", format!("[[{}]]", c.text))),
    ("a second method, the call last", Counted("duplicate-member"), |c| {
        c.post("", c.swapped(r#""method""#, r#""method":"ping","method""#))
    }),
    ("a second method, the call first", Counted("duplicate-member"), |c| {
        c.post("", c.swapped(r#""params""#, r#""method":"ping","params""#))
    }),
    ("a second method in escapes", Counted("duplicate-member"), |c| {
        c.post("", c.swapped(r#""method""#, r#""method":"ping","\u006dethod""#))
    }),
    ("a second params", Counted("duplicate-member"), |c| {
        c.post("", c.swapped(r#""params""#, r#""params":{},"params""#))
    }),
    ("a second name", Counted("duplicate-member"), |c| c.post("", c.swapped(r#""name""#, r#""name":"other","name""#))),
    ("a second argument of one name", Counted("duplicate-member"), |c| {
        c.post("", c.swapped(r#""who""#, r#""who":"other","who""#))
    }),
    ("a repetition deep in the arguments", Counted("duplicate-member"), |c| {
        c.post("", c.swapped(r#""who""#, r#""x":{"y":[{"z":1,"\u007a":2}]},"who""#))
    }),
    ("a second id", Counted("duplicate-member"), |c| c.post("", c.swapped(r#""id""#, r#""id":7,"id""#))),
    ("an escape in the method", Counted("no-proof"), |c| c.post("", c.swapped("tools/call", r"tools\u002fcall"))),
    ("an escaped slash in the method", Counted("no-proof"), |c| c.post("", c.swapped("tools/call", r"tools\/call"))),
    ("an escape in the name method", Counted("no-proof"), |c| c.post("", c.swapped("method", r"meth\u006fd"))),
    ("the method in another case", NoCall, |c| c.post("", c.swapped("tools/call", "Tools/Call"))),
    ("the method as an array", Counted("bad-request"), |c| {
        c.post("", c.swapped(r#""tools/call""#, r#"["tools/call"]"#))
    }),
    ("Method", Counted("bad-request"), |c| c.post("", c.swapped("method", "Method"))),
    ("METHOD beside method", Counted("bad-request"), |c| {
        c.post("", c.swapped(r#""method""#, r#""method":"ping","METHOD""#))
    }),
    ("PARAMS beside params", Counted("bad-request"), |c| {
        c.post("", c.swapped(r#""params""#, r#""params":{},"PARAMS""#))
    }),
    ("Name beside name", Counted("bad-request"), |c| c.post("", c.swapped(r#""name""#, r#""name":"x","Name""#))),
    ("a member __proto__ with the call", Counted("bad-request"), |c| {
        c.post("", format!(r#"{{"jsonrpc":"2.0","id":1,"__proto__":{}}}"#, c.text))
    }),
    ("a member that MCP does not have", Counted("bad-request"), |c| {
        c.post("", c.swapped(r#""params""#, r#""trailer":1,"params""#))
    }),
    ("a byte-order mark", Counted("not-strict-json"), |c| c.post("", format!("\u{feff}{}", c.text))),
    ("a byte-order mark, 2026-07-28", Counted("not-strict-json"), |c| {
        c.post(MODERN, format!("\u{feff}{}", c.modern()))
    }),
    ("UTF-16 with its charset", Counted("not-strict-json"), |c| {
        c.typed("Content-Type: application/json; charset=utf-16le\r\n", utf16(&c.text, u16::to_le_bytes))
    }),
    ("UTF-16 with a mark and its charset", Counted("not-strict-json"), |c| {
        let text = format!("\u{feff}{}", c.text);
        c.typed("Content-Type: application/json; charset=utf-16\r\n", utf16(&text, u16::to_be_bytes))
    }),
    ("UTF-16 without a word of it", Counted("not-strict-json"), |c| c.post("", utf16(&c.text, u16::to_le_bytes))),
    ("UTF-16 without a word of it, 2026-07-28", Counted("not-strict-json"), |c| {
        c.post(MODERN, utf16(&c.modern(), u16::to_le_bytes))
    }),
    ("UTF-16 with a mark, 2026-07-28", Counted("not-strict-json"), |c| {
        c.post(MODERN, utf16(&format!("\u{feff}{}", c.modern()), u16::to_le_bytes))
    }),
    ("UTF-32 without a word of it, 2026-07-28", Counted("not-strict-json"), |c| {
        c.post(MODERN, c.modern().chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<u8>>())
    }),
    ("UTF-32 with its charset", Counted("not-strict-json"), |c| {
        let text: Vec<u8> = c.text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        c.typed("Content-Type: application/json; charset=utf-32\r\n", text)
    }),
    ("UTF-7 with its charset", Counted("not-strict-json"), |c| {
        c.typed("Content-Type: application/json; charset=utf-7\r\n", utf7(&c.text))
    }),
    // Good UTF-8, and a ping. In UTF-7 the member x ends early, and what follows makes the message a call.
    ("a ping that is a call in UTF-7", Refused, |c| {
        let given = format!(
            r#""}}}},"method":"tools/call","params":{{"name":"count","arguments":{{"who":"hidden-{}","y":""#,
            c.who
        );
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"z":{{"x":"{}"}}}}}}"#, utf7(&given));
        c.typed("Content-Type: application/json; charset=utf-7\r\n", body)
    }),
    ("latin-1 with its charset", Refused, |c| {
        c.typed("Content-Type: application/json; charset=iso-8859-1\r\n", &c.text)
    }),
    ("gzip", Counted("bad-http"), |c| c.post("Content-Encoding: gzip\r\n", gzip(&c.text))),
    ("gzip in another case", Counted("bad-http"), |c| c.post("Content-Encoding: GZIP\r\n", gzip(&c.text))),
    ("gzip without a word of it", Counted("not-strict-json"), |c| c.post("", gzip(&c.text))),
    ("deflate", Counted("bad-http"), |c| c.post("Content-Encoding: deflate\r\n", zlib(&c.text))),
    ("gzip twice", Counted("bad-http"), |c| c.post("Content-Encoding: gzip, gzip\r\n", gzip(&c.text))),
    ("gzip that is none", Counted("bad-http"), |c| c.post("Content-Encoding: gzip\r\n", &c.text)),
    ("identity", Counted("no-proof"), |c| c.post("Content-Encoding: identity\r\n", &c.text)),
    ("a second text", Counted("not-strict-json"), |c| c.post("", format!("{PING}{}", c.text))),
    ("a second text on a line of its own", Counted("not-strict-json"), |c| c.post("", format!("{PING}\n{}", c.text))),
    ("a call on a line of its own within a ping", NoCall, |c| {
        c.post("", PING.replacen('{', &format!("{{\"x\":\n{}\n,", c.text), 1))
    }),
    ("a call between carriage returns within a ping", NoCall, |c| {
        c.post("", PING.replacen('{', &format!("{{\"x\":\r{}\r,", c.text), 1))
    }),
    ("a second text behind the call", Counted("not-strict-json"), |c| c.post("", format!("{}{PING}", c.text))),
    ("garbage behind the call", Counted("not-strict-json"), |c| c.post("", format!("{}garbage", c.text))),
    ("a NUL behind the call", Counted("not-strict-json"), |c| c.post("", format!("{}\0", c.text))),
    ("a NUL behind a ping, and the call", Counted("not-strict-json"), |c| c.post("", format!("{PING}\0{}", c.text))),
    ("a comma behind the last member", Counted("not-strict-json"), |c| {
        c.post("", format!("{},}}", c.text.strip_suffix('}').unwrap()))
    }),
    ("a comment", Counted("not-strict-json"), |c| c.post("", format!("/**/{}", c.text))),
    ("quotes of the other kind", Counted("not-strict-json"), |c| c.post("", c.text.replace('"', "'"))),
    ("a NUL in the name", Counted("bad-request"), |c| c.post("", c.swapped(r#""count""#, r#""count\u0000""#))),
    ("a NUL in the name method", Counted("bad-request"), |c| c.post("", c.swapped(r#""method""#, r#""method\u0000""#))),
    ("a NUL in the method", Counted("bad-request"), |c| c.post("", c.swapped("tools/call", r"tools/call\u0000"))),
    ("half a surrogate pair", Counted("not-strict-json"), |c| {
        c.post("", c.swapped(r#""who""#, r#""x":"\ud800","who""#))
    }),
    ("a byte that is no UTF-8", Counted("not-strict-json"), |c| {
        let (before, after) = c.text.split_once(r#""who""#).unwrap();
        c.post("", [before.as_bytes(), b"\"x\":\"\xff\",\"who\"", after.as_bytes()].concat())
    }),
    ("an overlong letter in the method", Counted("not-strict-json"), |c| {
        let (before, after) = c.text.split_once("tools/call").unwrap();
        c.post("", [before.as_bytes(), b"tools\xc0\xafcall", after.as_bytes()].concat())
    }),
    ("a number that no double holds", Counted("number-range"), |c| {
        c.post("", c.swapped(r#""who""#, r#""x":9007199254740993,"who""#))
    }),
    ("NaN", Counted("not-strict-json"), |c| c.post("", c.swapped(r#""who""#, r#""x":NaN,"who""#))),
    ("a nest of 65", Counted("too-large"), |c| {
        c.post("", c.swapped(r#""who""#, &format!(r#""x":{}{},"who""#, "[".repeat(65), "]".repeat(65))))
    }),
    ("a null id", Counted("no-id"), |c| c.post("", c.swapped(r#""id":1"#, r#""id":null"#))),
    ("no id", Counted("no-id"), |c| c.post("", c.swapped(r#""id":1,"#, ""))),
    ("a body of 5 MiB", Counted("too-large"), |c| c.post("", format!("{}{}", " ".repeat(5 << 20), c.text))),
    ("a body of 5 MiB in chunks", Counted("too-large"), |c| {
        let body = super::trick::chunked(&format!("{}{}", " ".repeat(5 << 20), c.text));
        c.framed("Transfer-Encoding: chunked\r\n", body)
    }),
    ("no body", NoRequest, |c| c.post("", "")),
];
