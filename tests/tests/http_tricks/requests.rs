//! Methods, targets, versions, types of content, and more than one request at a time.

use super::trick::{Behind::*, Call, Row, chunked, replaced};

/// The call sent by another request line.
fn line(c: &Call<'_>, line: &str, headers: &str) -> Vec<u8> {
    c.request(line, &format!("{headers}Content-Length: {}\r\n", c.text.len()), c.text.as_bytes())
}

fn typed(c: &Call<'_>, content_type: &str) -> Vec<u8> {
    c.typed(&format!("Content-Type: {content_type}\r\n"), &c.text)
}

pub const ROWS: &[Row] = &[
    ("GET with a body", NoRequest, |c| line(c, "GET /mcp HTTP/1.1", "")),
    ("GET with a method in a field", NoRequest, |c| line(c, "GET /mcp HTTP/1.1", "X-HTTP-Method-Override: POST\r\n")),
    ("GET with a method in the query", NoRequest, |c| line(c, "GET /mcp?_method=POST HTTP/1.1", "")),
    ("PUT", NoRequest, |c| line(c, "PUT /mcp HTTP/1.1", "")),
    ("PUT with methods in fields", NoRequest, |c| {
        line(
            c,
            "PUT /mcp HTTP/1.1",
            "X-HTTP-Method: POST\r\nX-Method-Override: POST\r\nX-HTTP-Method-Override: POST\r\n",
        )
    }),
    ("DELETE with a body", NoRequest, |c| line(c, "DELETE /mcp HTTP/1.1", "")),
    ("OPTIONS with a body", NoRequest, |c| line(c, "OPTIONS /mcp HTTP/1.1", "")),
    ("HEAD with a body", NoRequest, |c| line(c, "HEAD /mcp HTTP/1.1", "")),
    ("TRACE with a body", NoRequest, |c| line(c, "TRACE /mcp HTTP/1.1", "")),
    ("post in small letters", NoRequest, |c| line(c, "post /mcp HTTP/1.1", "")),
    ("POST with another method in a field", Counted("no-proof"), |c| {
        line(c, "POST /mcp HTTP/1.1", "X-HTTP-Method-Override: GET\r\n")
    }),
    ("a slash behind the path", NoRequest, |c| line(c, "POST /mcp/ HTTP/1.1", "")),
    ("two slashes before the path", NoRequest, |c| line(c, "POST //mcp HTTP/1.1", "")),
    ("the path in another case", NoRequest, |c| line(c, "POST /MCP HTTP/1.1", "")),
    ("an escape in the path", NoRequest, |c| line(c, "POST /%6dcp HTTP/1.1", "")),
    ("an escaped slash in the path", NoRequest, |c| line(c, "POST /x%2f..%2fmcp HTTP/1.1", "")),
    ("a dot in the path", NoRequest, |c| line(c, "POST /./mcp HTTP/1.1", "")),
    ("two dots in the path", NoRequest, |c| line(c, "POST /x/../mcp HTTP/1.1", "")),
    ("a parameter of the path", NoRequest, |c| line(c, "POST /mcp;x=y HTTP/1.1", "")),
    ("a NUL in the path", NoRequest, |c| line(c, "POST /mcp%00 HTTP/1.1", "")),
    ("a backslash for the slash", NoRequest, |c| line(c, "POST \\mcp HTTP/1.1", "")),
    ("a query", NoRequest, |c| line(c, "POST /mcp?x=y HTTP/1.1", "")),
    ("a fragment", NoRequest, |c| line(c, "POST /mcp#x HTTP/1.1", "")),
    ("another path", NoRequest, |c| line(c, "POST /other HTTP/1.1", "")),
    ("the paths of another transport", NoRequest, |c| line(c, "POST /messages/?session_id=x HTTP/1.1", "")),
    ("a whole URL as the target", NoRequest, |c| line(c, &format!("POST http://{}/mcp HTTP/1.1", c.host), "")),
    ("a whole URL of another host as the target", NoRequest, |c| {
        line(c, "POST http://elsewhere.example/mcp HTTP/1.1", "")
    }),
    ("a host that is another's", NoRequest, |c| {
        let request = c.post("", &c.text);
        replaced(&request, &format!("Host: {}", c.host), "Host: elsewhere.example")
    }),
    ("an origin that is another's", NoRequest, |c| c.post("Origin: http://elsewhere.example\r\n", &c.text)),
    ("a host in another field", Counted("no-proof"), |c| {
        c.post("X-Forwarded-Host: elsewhere.example\r\nForwarded: host=elsewhere.example\r\n", &c.text)
    }),
    ("no host", NoRequest, |c| {
        let request = c.post("", &c.text);
        replaced(&request, &format!("Host: {}\r\n", c.host), "")
    }),
    ("CONNECT", NoRequest, |c| line(c, &format!("CONNECT {} HTTP/1.1", c.host), "")),
    ("a target in the other form", NoRequest, |c| line(c, "POST mcp HTTP/1.1", "")),
    ("two spaces in the first line", NoRequest, |c| line(c, "POST  /mcp HTTP/1.1", "")),
    ("a tab in the first line", NoRequest, |c| line(c, "POST\t/mcp\tHTTP/1.1", "")),
    ("a space at the end of the first line", NoRequest, |c| line(c, "POST /mcp HTTP/1.1 ", "")),
    ("an empty line before the first", Counted("no-proof"), |c| [b"\r\n", c.post("", &c.text).as_slice()].concat()),
    ("HTTP/1.0", Counted("no-proof"), |c| line(c, "POST /mcp HTTP/1.0", "")),
    ("HTTP/1.0 without a length", NoRequest, |c| c.request("POST /mcp HTTP/1.0", "", c.text.as_bytes())),
    ("HTTP/0.9", NoRequest, |c| line(c, "POST /mcp", "")),
    ("HTTP/1.2", NoRequest, |c| line(c, "POST /mcp HTTP/1.2", "")),
    ("HTTP/2.0 in a first line", NoRequest, |c| line(c, "POST /mcp HTTP/2.0", "")),
    ("http/1.1 in small letters", NoRequest, |c| line(c, "POST /mcp http/1.1", "")),
    ("the preface of HTTP/2, then a request", NoRequest, |c| {
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", c.post("", &c.text).as_slice()].concat()
    }),
    ("an upgrade to h2c", Counted("no-proof"), |c| {
        let request = c.post("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", &c.text);
        replaced(&request, "Connection: close", "Connection: Upgrade, HTTP2-Settings, close")
    }),
    ("an upgrade to a WebSocket", Counted("no-proof"), |c| {
        let request = c.post(
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            &c.text,
        );
        replaced(&request, "Connection: close", "Connection: Upgrade, close")
    }),
    ("three requests at once", Counted("no-proof"), |c| {
        let first = c.kept_open(&c.post("", &c.text));
        [first.as_slice(), &c.kept_open(&c.hidden_request()), &c.hidden_request()].concat()
    }),
    ("a request behind one without a body", NoRequest, |c| {
        [b"OPTIONS /mcp HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), &c.hidden_request()].concat()
    }),
    ("a request behind one that is refused", NoRequest, |c| {
        let first = c.kept_open(&line(c, "POST /other HTTP/1.1", ""));
        [first.as_slice(), &c.hidden_request()].concat()
    }),
    ("a request behind a GET with a body", NoRequest, |c| {
        let hidden = c.hidden_request();
        let get = c.request("GET /other HTTP/1.1", &format!("Content-Length: {}\r\n", hidden.len()), &hidden);
        c.kept_open(&get)
    }),
    ("Expect: 100-continue", Counted("no-proof"), |c| c.post("Expect: 100-continue\r\n", &c.text)),
    ("Expect: 100-continue, and a request for a body", NoRequest, |c| {
        let hidden = c.hidden_request();
        c.kept_open(&c.request(
            "GET /mcp HTTP/1.1",
            &format!("Expect: 100-continue\r\nContent-Length: {}\r\n", hidden.len()),
            &hidden,
        ))
    }),
    ("Expect: something else", NoRequest, |c| c.post("Expect: 200-ok\r\n", &c.text)),
    ("text/plain", Refused, |c| typed(c, "text/plain")),
    ("text/plain, chunked", Refused, |c| {
        let request = c.framed("Transfer-Encoding: chunked\r\n", chunked(&c.text));
        replaced(&request, "application/json\r\nAccept", "text/plain\r\nAccept")
    }),
    ("a form", Refused, |c| typed(c, "application/x-www-form-urlencoded")),
    ("a form of parts", Refused, |c| {
        let body = format!("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{}\r\n--b--\r\n", c.text);
        c.typed("Content-Type: multipart/form-data; boundary=b\r\n", body)
    }),
    ("no type of content", Refused, |c| c.typed("", &c.text)),
    ("two types of content, JSON first", Refused, |c| {
        c.typed("Content-Type: application/json\r\nContent-Type: text/plain\r\n", &c.text)
    }),
    ("two types of content, JSON last", Refused, |c| {
        c.typed("Content-Type: text/plain\r\nContent-Type: application/json\r\n", &c.text)
    }),
    ("a list of types, JSON last", Refused, |c| typed(c, "text/plain, application/json")),
    ("JSON as a parameter of text", Refused, |c| typed(c, "text/plain; x=application/json")),
    ("a type that begins with application/json", Refused, |c| typed(c, "application/json-rpc")),
    ("a type that is JSON by its ending", Refused, |c| typed(c, "application/x+json")),
    ("APPLICATION/JSON", Counted("no-proof"), |c| typed(c, "APPLICATION/JSON")),
    ("JSON with charset=utf-8", Counted("no-proof"), |c| typed(c, "application/json; charset=utf-8")),
    ("JSON with a charset in quotes", Counted("no-proof"), |c| typed(c, "application/json;charset=\"UTF-8\"")),
    ("JSON with two charsets", Refused, |c| typed(c, "application/json; charset=utf-8; charset=utf-16")),
    ("JSON with a charset that there is not", Refused, |c| typed(c, "application/json; charset=x")),
    ("an Accept that takes nothing", NoRequest, |c| {
        let request = c.post("", &c.text);
        replaced(&request, "application/json, text/event-stream", "image/png")
    }),
    ("no Accept", Counted("no-proof"), |c| {
        let request = c.post("", &c.text);
        replaced(&request, "Accept: application/json, text/event-stream\r\n", "")
    }),
];
