//! Where a request ends: lengths and chunks that two readers take differently.

use super::trick::{Behind::*, Row, chunked};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

pub const ROWS: &[Row] = &[
    ("chunked, as it should be", Counted("no-proof"), |c| c.framed(CHUNKED, chunked(&c.text))),
    ("two lengths, equal", NoRequest, |c| c.post(&length(c.text.len()), &c.text)),
    ("two lengths, the first too short", NoRequest, |c| c.post(&length(5), &c.text)),
    ("two lengths, the last too short", NoRequest, |c| {
        c.framed(&format!("{}{}", length(c.text.len()), length(5)), &c.text)
    }),
    ("a list of equal lengths", NoRequest, |c| {
        c.framed(&format!("Content-Length: {0}, {0}\r\n", c.text.len()), &c.text)
    }),
    ("a length with a plus sign", NoRequest, |c| c.framed(&format!("Content-Length: +{}\r\n", c.text.len()), &c.text)),
    ("a length with leading zeros", Counted("no-proof"), |c| {
        c.framed(&format!("Content-Length: 000{}\r\n", c.text.len()), &c.text)
    }),
    ("a length in hexadecimal", NoRequest, |c| c.framed(&format!("Content-Length: 0x{:x}\r\n", c.text.len()), &c.text)),
    ("a negative length", NoRequest, |c| c.framed("Content-Length: -1\r\n", &c.text)),
    ("a length beyond 64 bits", NoRequest, |c| {
        c.framed(&format!("Content-Length: {}\r\n", 18_446_744_073_709_551_616_u128 + c.text.len() as u128), &c.text)
    }),
    ("an empty length", NoRequest, |c| c.framed("Content-Length:\r\n", &c.text)),
    ("no length", NoRequest, |c| c.framed("", &c.text)),
    ("a space before the colon of the length", NoRequest, |c| {
        c.framed(&format!("Content-Length : {}\r\n", c.text.len()), &c.text)
    }),
    ("a request hidden behind a length that is too short", NoRequest, |c| {
        let request = c.kept_open(&c.post("", "{}"));
        [request, c.hidden_request()].concat()
    }),
    ("length and chunks, a request hidden behind the chunks", NoRequest, |c| {
        let body = [chunked(&c.text).into_bytes(), c.hidden_request()].concat();
        c.kept_open(&c.framed(&format!("{}{CHUNKED}", length(body.len())), body))
    }),
    ("chunks and length, a request hidden behind the length", NoRequest, |c| {
        let hidden = c.hidden_request();
        let body = [format!("{:x}\r\n", hidden.len()).as_bytes(), hidden.as_slice(), b"\r\n0\r\n\r\n"].concat();
        c.kept_open(&c.framed(&format!("{CHUNKED}{}", length(4)), body))
    }),
    ("length and chunks, which agree", NoRequest, |c| {
        let body = chunked(&c.text);
        c.framed(&format!("{}{CHUNKED}", length(body.len())), body)
    }),
    ("chunked, chunked", NoRequest, |c| c.framed("Transfer-Encoding: chunked, chunked\r\n", chunked(&c.text))),
    ("chunked twice", NoRequest, |c| c.framed(&CHUNKED.repeat(2), chunked(&c.text))),
    ("gzip, chunked", NoRequest, |c| c.framed("Transfer-Encoding: gzip, chunked\r\n", chunked(&c.text))),
    ("chunked, identity", NoRequest, |c| c.framed("Transfer-Encoding: chunked, identity\r\n", chunked(&c.text))),
    ("chunked, then identity, with a length", NoRequest, |c| {
        c.framed(&format!("{CHUNKED}Transfer-Encoding: identity\r\n{}", length(c.text.len())), &c.text)
    }),
    ("identity, with a length", NoRequest, |c| c.post("Transfer-Encoding: identity\r\n", &c.text)),
    ("xchunked, with a length", NoRequest, |c| c.post("Transfer-Encoding: xchunked\r\n", &c.text)),
    ("Chunked, in another case", Counted("no-proof"), |c| c.framed("Transfer-Encoding: CHUNKED\r\n", chunked(&c.text))),
    ("chunked in quotes", NoRequest, |c| c.framed("Transfer-Encoding: \"chunked\"\r\n", chunked(&c.text))),
    ("chunked after a vertical tab", NoRequest, |c| c.framed("Transfer-Encoding: \x0bchunked\r\n", chunked(&c.text))),
    ("chunked on a folded line", NoRequest, |c| c.framed("Transfer-Encoding:\r\n chunked\r\n", chunked(&c.text))),
    ("a space before the colon of the coding", NoRequest, |c| {
        c.framed("Transfer-Encoding : chunked\r\n", chunked(&c.text))
    }),
    ("a chunk with an extension", Counted("no-proof"), |c| {
        c.framed(CHUNKED, format!("{:x};a=b;c=\"d\"\r\n{}\r\n0\r\n\r\n", c.text.len(), c.text))
    }),
    ("a chunk with a line feed in its extension", NoRequest, |c| {
        let hidden = chunked(&c.text);
        c.framed(CHUNKED, format!("2;a=\n{}\r\n{hidden}", "xx"))
    }),
    ("a chunk with 20,000 bytes of extension", NoRequest, |c| {
        c.framed(CHUNKED, format!("{:x};a={}\r\n{}\r\n0\r\n\r\n", c.text.len(), "b".repeat(20_000), c.text))
    }),
    ("a chunk size with 0x", NoRequest, |c| c.framed(CHUNKED, format!("0x{}", chunked(&c.text)))),
    ("a chunk size with a plus sign", NoRequest, |c| c.framed(CHUNKED, format!("+{}", chunked(&c.text)))),
    ("a chunk size with a space before it", NoRequest, |c| c.framed(CHUNKED, format!(" {}", chunked(&c.text)))),
    ("a chunk size with leading zeros", Counted("no-proof"), |c| {
        c.framed(CHUNKED, format!("0000{}", chunked(&c.text)))
    }),
    ("a chunk size beyond 64 bits", NoRequest, |c| c.framed(CHUNKED, format!("10000000000000000{}", chunked(&c.text)))),
    ("a chunk size that is none", NoRequest, |c| c.framed(CHUNKED, format!("g{}", chunked(&c.text)))),
    ("chunks ended by line feeds alone", NoRequest, |c| c.framed(CHUNKED, chunked(&c.text).replace("\r\n", "\n"))),
    ("chunks ended by carriage returns alone", NoRequest, |c| {
        c.framed(CHUNKED, chunked(&c.text).replace("\r\n", "\r"))
    }),
    ("a chunk without its ending", NoRequest, |c| {
        c.framed(CHUNKED, format!("{:x}\r\n{}0\r\n\r\n", c.text.len(), c.text))
    }),
    ("a chunk longer than it says", NoRequest, |c| {
        c.framed(CHUNKED, format!("{:x}\r\n{}xx\r\n0\r\n\r\n", c.text.len(), c.text))
    }),
    ("chunks without a last one", NoRequest, |c| c.framed(CHUNKED, format!("{:x}\r\n{}\r\n", c.text.len(), c.text))),
    ("one byte a chunk", Counted("no-proof"), |c| {
        let chunks: String = c.text.chars().map(|byte| format!("1\r\n{byte}\r\n")).collect();
        c.framed(CHUNKED, format!("{chunks}0\r\n\r\n"))
    }),
    ("bytes behind the last chunk", Counted("no-proof"), |c| c.framed(CHUNKED, format!("{}garbage", chunked(&c.text)))),
    ("trailer fields", Counted("no-proof"), |c| {
        c.framed(&format!("Trailer: X-A\r\n{CHUNKED}"), chunked(&c.text).replace("0\r\n\r\n", "0\r\nX-A: b\r\n\r\n"))
    }),
    ("trailer fields that would frame or route", Counted("no-proof"), |c| {
        let trailer = "0\r\nContent-Length: 3\r\nMcp-Method: ping\r\nHost: elsewhere\r\n\r\n";
        c.framed(CHUNKED, chunked(&c.text).replace("0\r\n\r\n", trailer))
    }),
    ("a body in chunks to a server of HTTP/1.0", NoRequest, |c| {
        c.request("POST /mcp HTTP/1.0", CHUNKED, chunked(&c.text).as_bytes())
    }),
];

fn length(n: usize) -> String {
    format!("Content-Length: {n}\r\n")
}
