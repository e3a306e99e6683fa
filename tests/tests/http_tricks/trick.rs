//! A request that somebody takes for a call, and the helpers that requests are made with.

/// What is to become of a trick behind the guard. In no case does a tool run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// The guard has a message before it, or knows that it has none, and counts a refusal for this reason.
    Counted(&'static str),
    /// The guard refuses it, as a call that nobody vouches for or before it looks for one.
    Refused,
    /// It is no request to begin with: whoever reads HTTP for the guard may end it without a word to the log, or the guard
    /// refuses it for some reason.
    NoRequest,
    /// It is well-formed, and no call to us nor to a server that keeps to MCP: it may pass.
    NoCall,
}

/// What the tool is given begins so where the call is a hidden one.
pub const HIDDEN: &str = "hidden-";

/// One trick.
pub struct Trick {
    /// What it does, in words; the key of the record.
    pub name: &'static str,
    /// What the tool is given where the request as such is run. A call hidden in it gives `hidden` and this.
    pub who: String,
    /// What goes over the wire.
    pub bytes: Vec<u8>,
    /// What is to become of it.
    pub behind: Behind,
    /// How many responses it may have: one more for each request hidden behind it.
    pub responses: usize,
}

/// What a trick is made of.
pub struct Call<'t> {
    /// `127.0.0.1:PORT` of the server.
    pub host: &'t str,
    /// The call as JSON.
    pub text: String,
    /// The other call, which nobody signs.
    pub hidden: String,
    /// Makes a call of the text of one: signs it, or leaves it as it is.
    pub sign: &'t dyn Fn(&str) -> String,
    /// What the tool is given.
    pub who: String,
}

/// Leaves a call as it is.
pub fn unsigned(text: &str) -> String {
    text.to_owned()
}

/// A `tools/call` of `count`.
pub fn call(who: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"count","arguments":{{"who":"{who}"}}}}}}"#
    )
}

/// What servers over HTTP ask for in 2025-11-25, but for the length.
const USUAL: &str =
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nConnection: close\r\n";

impl<'t> Call<'t> {
    /// A call that gives the tool `who`.
    pub fn of(host: &'t str, who: &str, sign: &'t dyn Fn(&str) -> String) -> Self {
        Self { host, text: sign(&call(who)), hidden: call(&format!("{HIDDEN}{who}")), sign, who: who.to_owned() }
    }

    /// The call of 2026-07-28.
    pub fn modern(&self) -> String {
        const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},"arguments""#;
        (self.sign)(&call(&self.who).replacen("\"arguments\"", META, 1))
    }

    /// A request of these parts. `headers` stands before the usual ones, each line with its ending.
    pub fn request(&self, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("{line}\r\nHost: {}\r\n{headers}{USUAL}\r\n", self.host);
        [head.as_bytes(), body].concat()
    }

    /// A POST to the right place, with the right length.
    pub fn post(&self, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        self.request("POST /mcp HTTP/1.1", &format!("{headers}Content-Length: {}\r\n", body.len()), body)
    }

    /// As [`Call::post`], with these lines in place of the `Content-Type`.
    pub fn typed(&self, lines: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let request = self.post("", body);
        replaced(&request, "Content-Type: application/json\r\n", lines)
    }

    /// A POST whose length is only what `headers` say.
    pub fn framed(&self, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        self.request("POST /mcp HTTP/1.1", headers, body.as_ref())
    }

    /// The call with one place changed.
    pub fn swapped(&self, from: &str, to: &str) -> String {
        assert!(self.text.contains(from), "{from}");
        self.text.replacen(from, to, 1)
    }

    /// The hidden call as a whole request.
    pub fn hidden_request(&self) -> Vec<u8> {
        self.post("", &self.hidden)
    }

    /// The hidden call's request, sent after one whose connection stays.
    pub fn kept_open(&self, request: &[u8]) -> Vec<u8> {
        replaced(request, "Connection: close\r\n", "Connection: keep-alive\r\n")
    }
}

/// The bytes with one text in them replaced.
pub fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("{from:?} is not there"));
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// One chunk, and the last one.
pub fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// One row of a table: what it is called, what becomes of it, how it is made.
pub type Row = (&'static str, Behind, fn(&Call<'_>) -> Vec<u8>);

/// Every trick against the server at `host`, its calls signed by `sign`, or left as they are.
pub fn tricks(host: &str, sign: &dyn Fn(&str) -> String) -> Vec<Trick> {
    let rows = [super::framing::ROWS, super::headers::ROWS, super::bodies::ROWS, super::requests::ROWS].concat();
    let made = |(at, (name, behind, make)): (usize, Row)| {
        let who = format!("t{at:03}");
        let bytes = make(&Call::of(host, &who, sign));
        let hidden = bytes.windows(HIDDEN.len()).filter(|window| *window == HIDDEN.as_bytes()).count();
        Trick { name, who, bytes, behind, responses: 1 + hidden }
    };
    rows.into_iter().enumerate().map(made).collect()
}
