//! Members in the text of an object: for whoever adds or takes one and leaves every other byte as it is.
//!
//! The text has been read by [`super::parse`] before, so only its outline is looked at here. Of any other text nothing is
//! found, or something that means nothing; nothing is indexed unchecked.

use core::ops::Range;

use memchr::memchr2;

use super::{Value, parse};

/// A member where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The value's bytes.
    pub value: Range<usize>,
    /// What goes where the member goes: itself, and the comma that parts it from its neighbour.
    pub cut: Range<usize>,
}

/// Where the first member of the object stands, or would: behind the brace at, or after blanks at, `at`.
pub(crate) fn inside(text: &[u8], at: usize) -> Option<usize> {
    let at = blanks(text, at);
    (text.get(at) == Some(&b'{')).then_some(at + 1)
}

/// The member of this name of the object whose inside begins at `at`.
pub(crate) fn find(text: &[u8], at: usize, name: &str) -> Option<Member> {
    let mut comma_before = None;
    let mut start = blanks(text, at);
    while text.get(start) == Some(&b'"') {
        let name_end = string(text, start)?;
        let colon = blanks(text, name_end);
        if text.get(colon) != Some(&b':') {
            return None;
        }
        let from = blanks(text, colon + 1);
        let to = value(text, from)?;
        let comma = Some(blanks(text, to)).filter(|at| text.get(*at) == Some(&b','));
        if is_named(text.get(start..name_end)?, name) {
            // With the comma behind it where there is one, so that a member that was put first leaves as it came.
            let cut = match (comma, comma_before) {
                (Some(comma), _) => start..comma + 1,
                (None, Some(comma)) => comma..to,
                (None, None) => start..to,
            };
            return Some(Member { value: from..to, cut });
        }
        comma_before = Some(comma?);
        start = blanks(text, comma? + 1);
    }
    None
}

/// Whether a string literal says `name`; it may be spelled with escapes.
fn is_named(literal: &[u8], name: &str) -> bool {
    let plain = literal.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\""));
    let escaped = || literal.contains(&b'\\') && parse(literal) == Ok(Value::String(name.into()));
    plain == Some(name.as_bytes()) || escaped()
}

fn blanks(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// The end of the string literal that begins at `at`.
fn string(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let rest = text.get(from..)?;
        let found = memchr2(b'"', b'\\', rest)?;
        if rest.get(found) == Some(&b'"') {
            return Some(from + found + 1);
        }
        from += found + 2;
    }
}

/// The end of the value that begins at `at`.
fn value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => string(text, at),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, at);
            loop {
                match text.get(at)? {
                    b'"' => {
                        at = string(text, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let ends = |c: &u8| matches!(c, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            text.get(at..)?.iter().position(ends).map(|length| at + length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, name: &str) -> Option<String> {
        let member = find(text.as_bytes(), inside(text.as_bytes(), 0)?, name)?;
        Some(text[..member.cut.start].to_owned() + &text[member.cut.end..])
    }

    #[test]
    fn a_member_goes_with_one_comma_and_nothing_else() {
        for (text, rest) in [
            (r#"{"m":1}"#, r#"{}"#),
            (r#" { "m" : 1 } "#, r#" {  } "#),
            (r#"{"m":{"a":[1,"}"]},"b":2}"#, r#"{"b":2}"#),
            (r#"{"b":2,"m":"\\\""}"#, r#"{"b":2}"#),
            (r#"{"b":[{"m":3}],"m":1.5e3,"c":"m"}"#, r#"{"b":[{"m":3}],"c":"m"}"#),
            (r#"{"\u006d":null,"c":1}"#, r#"{"c":1}"#),
        ] {
            assert_eq!(without(text, "m").as_deref(), Some(rest), "{text}");
        }
    }

    #[test]
    fn what_is_deeper_or_not_there_is_not_found() {
        for text in [r#"{"a":{"m":1}}"#, "{}", r#"{"M":1}"#, r#"["m"]"#, "", "{", r#"{"m"#, r#"{"m":"#, r#"{"a":1,"#] {
            assert_eq!(without(text, "m"), None, "{text}");
        }
    }

    #[test]
    fn of_any_bytes_something_comes_back() {
        for text in [&b"{\"a\":}"[..], b"{\"a\":]]]", b"{\"a\"\"m\":1", b"{,", b"{\"\\", b"{\"m\":{]", b"\xff{"] {
            let _ = inside(text, 0).and_then(|at| find(text, at, "m"));
            let _ = find(text, 9, "m");
        }
    }
}
