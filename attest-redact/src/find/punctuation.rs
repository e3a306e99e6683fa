//! What stands around `@`, `:` and `=`: mail addresses, user info in URLs, values after a secret's name.

use super::{Finder, Found};
use crate::names::Says;

const MAIL: &str = "mail";
const URL: &str = "url-user";
const FIELD: &str = "field";

/// Blanks between a name, its `:` and its value.
const MAX_BLANKS: usize = 8;
/// Farthest that user info is looked for behind a host that ended without it, in bytes.
const MAX_USER: usize = 1_024;

impl Finder {
    pub(super) fn punctuation<'r>(&'r self, text: &str, out: &mut Vec<Found<'r>>) {
        let bytes = text.as_bytes();
        let mut covered = 0;
        for at in memchr::memchr3_iter(b'@', b':', b'=', bytes) {
            if at < covered {
                continue;
            }
            let found = match bytes.get(at) {
                Some(b'@') if self.on.mail => mail(bytes, covered, at),
                Some(b':') if bytes.get(at + 1..at + 3) == Some(b"//") => {
                    if self.on.urls {
                        user_info(bytes, at + 3)
                    } else {
                        None
                    }
                }
                Some(b':' | b'=') if self.on.assignments => self.assigned(text, covered, at),
                _ => None,
            };
            if let Some(found) = found {
                covered = found.to;
                out.push(found);
            }
        }
    }

    /// The value after a secret's name.
    fn assigned<'r>(&self, text: &str, floor: usize, at: usize) -> Option<Found<'r>> {
        let bytes = text.as_bytes();
        let before = bytes.get(floor..at)?;
        let skip = |c: &u8| matches!(c, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\' | b']');
        let end = before.iter().rev().take(MAX_BLANKS).position(|c| !skip(c)).map(|back| before.len() - back)?;
        let name = before.get(..end)?;
        let ident = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.') || *c >= 0x80;
        let start = name.iter().rposition(|c| !ident(c)).map_or(0, |at| at + 1);
        if start == end {
            return None;
        }
        let says = self.names.says(text.get(floor + start..floor + end)?);
        if says == Says::Nothing {
            return None;
        }
        // `a == b`, `a => b`, `a := b`.
        let mut from = at + 1;
        while bytes.get(from).is_some_and(|c| matches!(c, b'=' | b'>' | b':')) {
            from += 1;
        }
        let blanks = bytes.get(from..)?.iter().take(MAX_BLANKS).take_while(|c| matches!(c, b' ' | b'\t')).count();
        from += blanks;
        let in_query =
            (floor + start).checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|c| matches!(c, b'?' | b'&'));
        let opening = (floor + start).checked_sub(1).and_then(|at| bytes.get(at)).copied();
        let (from, to) = value(bytes, from, says, in_query, opening);
        let value = bytes.get(from..to)?;
        let says_nothing =
            matches!(value, b"" | b"null" | b"true" | b"false" | b"," | b"{" | b"[" | b"null," | b"true," | b"false,");
        (!says_nothing).then_some(Found { from, to, kind: FIELD })
    }
}

/// Where the value goes that starts at `from`: to its closing quote, escaped as the opening one is; else to the end of the
/// line or the word.
fn value(bytes: &[u8], from: usize, says: Says, in_query: bool, opening: Option<u8>) -> (usize, usize) {
    let rest = bytes.get(from..).unwrap_or_default();
    let slashes = rest.iter().take_while(|c| **c == b'\\').count();
    if let Some(quote @ (b'"' | b'\'' | b'`')) = rest.get(slashes).copied() {
        let from = from + slashes + 1;
        let inner = bytes.get(from..).unwrap_or_default();
        let mut before = 0;
        for (at, c) in inner.iter().enumerate() {
            if *c == quote && before <= slashes {
                return (from, from + at - before);
            }
            before = if *c == b'\\' { before + 1 } else { 0 };
        }
        return (from, bytes.len());
    }
    let ends = |c: &u8| match says {
        // The quote that a header's name stands behind ends it too: `-H 'Cookie: a="b"'`.
        Says::SecretLine => matches!(c, b'\n' | b'\r') || (opening == Some(*c) && matches!(c, b'"' | b'\'' | b'`')),
        _ => c.is_ascii_whitespace() || matches!(c, b'"' | b'\'' | b'`') || (in_query && matches!(c, b'&' | b'#')),
    };
    (from, from + rest.iter().position(ends).unwrap_or(rest.len()))
}

/// User and password in front of a URL's host; `from` is behind its `//`.
fn user_info<'r>(bytes: &[u8], from: usize) -> Option<Found<'r>> {
    let rest = bytes.get(from..)?;
    let stops = |c: &u8| c.is_ascii_whitespace() || matches!(c, b'"' | b'\'' | b'<' | b'>' | b'`');
    let until = |part: &[u8], ends: &dyn Fn(&u8) -> bool| part.iter().position(ends).unwrap_or(part.len());
    let authority = rest.get(..until(rest, &|c| stops(c) || matches!(c, b'/' | b'?' | b'#')))?;
    let at = |part: &[u8]| part.iter().rposition(|c| *c == b'@').filter(|length| *length > 0);
    let length = match at(authority) {
        Some(length) => length,
        // A password with an unescaped `/`: what looks like the port is none.
        None => {
            let port = authority.iter().position(|c| *c == b':')?;
            if authority.get(port + 1..)?.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let near = rest.get(..rest.len().min(MAX_USER))?;
            at(near.get(..until(near, &stops))?)?
        }
    };
    Some(Found { from, to: from + length, kind: URL })
}

/// The mail address around the `@`.
fn mail<'r>(bytes: &[u8], floor: usize, at: usize) -> Option<Found<'r>> {
    let local = |c: &u8| c.is_ascii_alphanumeric() || *c >= 0x80 || b"._%+-'!#$&*/?^`{|}~".contains(c);
    let before = bytes.get(floor..at)?;
    let from = before.iter().rposition(|c| !local(c)).map_or(0, |at| at + 1) + floor;
    let domain = |c: &u8| c.is_ascii_alphanumeric() || *c >= 0x80 || matches!(c, b'.' | b'-');
    let after = bytes.get(at + 1..)?;
    let length = after.iter().position(|c| !domain(c)).unwrap_or(after.len());
    let host = after.get(..length)?;
    // The full stop of a sentence is not the address's.
    let length = host.iter().rposition(|c| !matches!(c, b'.' | b'-')).map_or(0, |at| at + 1);
    let host = host.get(..length)?;
    let last = host.iter().rposition(|c| *c == b'.')?;
    let top = host.get(last + 1..)?;
    let is = from < at && last > 0 && top.len() >= 2 && !top.iter().any(u8::is_ascii_digit);
    is.then_some(Found { from, to: at + 1 + length, kind: MAIL })
}
