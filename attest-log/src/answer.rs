//! What an HTTP request is answered with. Framing, limits and connections are the business of whoever serves it.

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`.
    pub cache: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Text, as C2SP names its type.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// What changes with the next checkpoint.
const FLEETING: &str = "no-store";

impl Answer {
    /// Text that holds for the moment.
    pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: TEXT, cache: FLEETING, body: body.into() }
    }

    /// Why there is nothing better, in a line.
    pub fn failed(status: u16, why: impl std::fmt::Display) -> Self {
        Self::text(status, format!("{why}\n"))
    }

    /// There is no such thing here.
    pub fn not_found() -> Self {
        Self::failed(404, "not found")
    }
}
