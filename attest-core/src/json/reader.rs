//! The strict byte reader.

use std::borrow::Cow;

use super::error::{JsonError, JsonErrorKind};
use super::number;
use super::value::{Object, Value};

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// Reads exactly one JSON value; see the module's page for the rules.
pub fn parse(text: &[u8]) -> Result<Value<'_>, JsonError> {
    if text.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError { kind: JsonErrorKind::ByteOrderMark, offset: 0 });
    }
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    let value = reader.value(MAX_DEPTH)?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.error(JsonErrorKind::TrailingBytes));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, JsonError>;

impl<'a> Reader<'a> {
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { kind, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.text.get(from..to).unwrap_or_default()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, c: u8) -> Read<()> {
        if self.peek() == Some(c) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(JsonErrorKind::Syntax))
    }

    fn word(&mut self, word: &'static [u8], value: Value<'a>) -> Read<Value<'a>> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.error(JsonErrorKind::Syntax))
    }

    fn value(&mut self, depth: usize) -> Read<Value<'a>> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            _ => Err(self.error(JsonErrorKind::Syntax)),
        }
    }

    fn deeper(&self, depth: usize) -> Read<usize> {
        depth.checked_sub(1).ok_or_else(|| self.error(JsonErrorKind::TooDeep))
    }

    fn array(&mut self, depth: usize) -> Read<Value<'a>> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.error(JsonErrorKind::Syntax)),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Read<Value<'a>> {
        let depth = self.deeper(depth)?;
        let start = self.at;
        self.at += 1;
        let mut members = Vec::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(Object::default()));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            members.push((name, self.value(depth)?));
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                _ => return Err(self.error(JsonErrorKind::Syntax)),
            }
        }
        Object::from_members(members)
            .map(Value::Object)
            .ok_or(JsonError { kind: JsonErrorKind::DuplicateMember, offset: start })
    }

    fn digits(&mut self) -> Read<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == from { Err(self.error(JsonErrorKind::Syntax)) } else { Ok(()) }
    }

    fn number(&mut self) -> Read<f64> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let range = JsonError { kind: JsonErrorKind::NumberRange, offset: start };
        let text = str::from_utf8(self.slice(start, self.at)).map_err(|_| range)?;
        number::read(text).ok_or(range)
    }

    fn string(&mut self) -> Read<Cow<'a, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let text = self.plain()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.escaped(start).map(Cow::Owned)
    }

    /// The characters up to the next quote or backslash, which `self.at` is at afterwards. Tokens are strings of thousands
    /// of bytes, so this looks at many bytes at a time.
    fn plain(&mut self) -> Read<&'a str> {
        let from = self.at;
        let rest = self.text.get(from..).unwrap_or_default();
        let length = memchr::memchr2(b'"', b'\\', rest);
        let plain = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        // Folded without an early end, which lets the compiler compare many bytes at once.
        if plain.iter().fold(false, |found, c| found | (*c < 0x20)) || length.is_none() {
            self.at = from + plain.iter().position(|c| *c < 0x20).unwrap_or(plain.len());
            return Err(self.error(JsonErrorKind::Syntax));
        }
        self.at = from + plain.len();
        self.utf8(from, self.at)
    }

    fn utf8(&self, from: usize, to: usize) -> Read<&'a str> {
        str::from_utf8(self.slice(from, to))
            .map_err(|e| JsonError { kind: JsonErrorKind::NotUtf8, offset: from + e.valid_up_to() })
    }

    /// A string with at least one escape, `start` being its first byte and `self.at` the first backslash.
    fn escaped(&mut self, start: usize) -> Read<String> {
        let mut out = String::from(self.utf8(start, self.at)?);
        loop {
            if self.peek() == Some(b'"') {
                self.at += 1;
                return Ok(out);
            }
            // `plain` stops at nothing but a quote or a backslash.
            self.at += 1;
            out.push(self.escape()?);
            out.push_str(self.plain()?);
        }
    }

    fn escape(&mut self) -> Read<char> {
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.error(JsonErrorKind::Syntax)),
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Read<char> {
        let surrogate = self.error(JsonErrorKind::LoneSurrogate);
        let high = self.hex4()?;
        let code = if (0xD800..0xDC00).contains(&high) {
            if self.slice(self.at, self.at + 2) != b"\\u" {
                return Err(surrogate);
            }
            self.at += 2;
            let low = self.hex4()?;
            if !(0xDC00..0xE000).contains(&low) {
                return Err(surrogate);
            }
            0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        } else {
            high
        };
        char::from_u32(code).ok_or(surrogate)
    }

    fn hex4(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|c| char::from(c).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.error(JsonErrorKind::Syntax))?;
            self.at += 1;
        }
        Ok(code)
    }
}
