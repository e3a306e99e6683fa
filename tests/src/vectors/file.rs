//! One vector and its text form: lines `key: value`, an empty line, the body's bytes to the end of the file.

use super::TRUST_FILE;
use super::call::NOW;
use super::token::b64;

/// One vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// `<family>_<defect>`; the file's name without `.vec`.
    pub name: String,
    /// The header's lines, in order.
    pub header: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Vector {
    /// A vector of `kind` with nothing expected yet.
    pub fn new(kind: &str, name: impl Into<String>, comment: &str, body: impl Into<Vec<u8>>) -> Self {
        let vector = Self { name: name.into(), header: Vec::new(), body: body.into() };
        vector.with("comment", comment).with("kind", kind)
    }

    /// A message, checked with the default trust at the default time.
    pub fn request(name: impl Into<String>, comment: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("request", name, comment, body).with("trust", TRUST_FILE).with("now", &NOW.to_string())
    }

    /// Adds a line, or replaces the one of this key.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        assert!(!value.contains('\n'), "{}: {key} is one line", self.name);
        match self.header.iter_mut().find(|(k, _)| k == key) {
            Some(line) => value.clone_into(&mut line.1),
            None => self.header.push((key.to_owned(), value.to_owned())),
        }
        self
    }

    /// Checked at another time.
    pub fn at(self, now: u64) -> Self {
        self.with("now", &now.to_string())
    }

    /// Must be refused for this reason, which also says what the caller sees of it.
    pub fn refused(self, code: &str) -> Self {
        let seen = on_the_wire(code).to_owned();
        self.with("expect", code).with("wire", &seen)
    }

    /// Where the reason applies: a component, or a token.
    pub fn about(self, what: &str) -> Self {
        self.with("about", what)
    }

    /// Must be accepted, and these canonical bytes forwarded.
    pub fn accepted(self, forward: &[u8]) -> Self {
        self.with("expect", "accept").with("forward", &b64(forward))
    }

    /// Is no call, and passes as it came.
    pub fn passes(self) -> Self {
        self.with("expect", "pass")
    }

    /// The value of a header line.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.header.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines: String = self.header.iter().map(|(k, v)| format!("{k}: {v}\n")).collect();
        [lines.as_bytes(), b"\n", &self.body].concat()
    }

    /// Reads a file's bytes; `None` where they are not of the form.
    pub fn parse(name: &str, bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|w| w == b"\n\n")?;
        let header = str::from_utf8(&bytes[..end]).ok()?;
        let lines = header.lines().map(|line| {
            let (key, value) = line.split_once(": ")?;
            Some((key.to_owned(), value.to_owned()))
        });
        Some(Self { name: name.to_owned(), header: lines.collect::<Option<_>>()?, body: bytes[end + 2..].to_vec() })
    }
}

/// What a caller sees of a reason: until a caller is authenticated, only which of three kinds it is. Written out here a
/// second time, from `spec/refusals.md`, so that a change of the first is noticed.
pub fn on_the_wire(code: &str) -> &str {
    match code {
        "too-large"
        | "bad-http"
        | "header-mismatch"
        | "not-strict-json"
        | "duplicate-member"
        | "number-range"
        | "bad-request"
        | "no-id"
        | "bad-carrier"
        | "token-encoding"
        | "token-header"
        | "token-not-canonical"
        | "token-claims" => "malformed",
        "expired" | "not-yet-valid" | "life-too-long" => "stale",
        "no-proof" | "unknown-attester" | "attestation-signature" | "key-role" | "call-signature" => "unauthenticated",
        code => code,
    }
}
