//! Writing a value or a text without its secrets.

use std::collections::HashSet;

use attest_core::digest::{Digest, Salt};
use attest_core::json::{self, Object, Value, write_canonical, write_string};

use crate::commitment::Salted;
use crate::find::Found;
use crate::names::Says;
use crate::path::Place;
use crate::rules::Rules;

const FIELD: &str = "field";
const CARD: &str = "card";
const CUT: &str = "cut";
const TOO_MANY: &str = "too-many";

/// Most secrets of one document. A placeholder is ten times as long as the shortest secret; past this many the document goes
/// whole, so that the output stays within bounds.
const MAX_SALTS: usize = 2_048;
/// How many names of members that say nothing are remembered while a document is written: most have few, again and again.
const MAX_ORDINARY: usize = 256;
/// How deep JSON inside of strings is read as JSON.
const MAX_NESTED: usize = 3;

/// What JSON Schema says of a property, by keywords that hold no value of it.
const SCHEMA: [&str; 34] = [
    "$comment",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contentEncoding",
    "contentMediaType",
    "deprecated",
    "description",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
];

/// What may be kept, and what belongs beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted {
    /// JSON or text without the secrets.
    pub text: String,
    /// One for each placeholder, in their order.
    pub salts: Vec<Salted>,
}

impl Rules {
    /// A JSON value, as compact JSON. Members keep the canonical order, but that a redacted name stands where the name stood.
    pub fn value(&self, value: &Value<'_>, salt: &mut dyn FnMut() -> Salt) -> Redacted {
        let mut out = Writer::new(self, salt);
        out.value(value, &self.paths.root());
        out.finish(|| value.to_canonical(), placeholder)
    }

    /// A text, such as a line of standard error or an error message. JSON is recognised, and redacted as such.
    pub fn text(&self, text: &str, salt: &mut dyn FnMut() -> Salt) -> Redacted {
        let mut out = Writer::new(self, salt);
        let kept = out.string(text).into_text();
        out.out.extend_from_slice(kept.as_deref().unwrap_or(text).as_bytes());
        out.finish(|| text.as_bytes().to_vec(), mark)
    }

    /// A command line, the program first, as a JSON array. The argument after a flag with a secret's name (`--token abc`) is a
    /// secret, as are `--token=abc`, `TOKEN=abc` and whatever is one in any text.
    pub fn args<A: AsRef<str>>(&self, args: &[A], salt: &mut dyn FnMut() -> Salt) -> Redacted {
        let whole = || {
            let all = args.iter().map(|arg| Value::String(arg.as_ref().into())).collect();
            Value::Array(all).to_canonical()
        };
        let mut out = Writer::new(self, salt);
        out.out.push(b'[');
        let mut flagged = false;
        for (at, arg) in args.iter().map(AsRef::as_ref).enumerate() {
            if at > 0 {
                out.out.push(b',');
            }
            if flagged && !arg.is_empty() && !is_flag(arg) {
                out.whole(FIELD, arg.as_bytes());
                flagged = false;
                continue;
            }
            flagged = is_flag(arg) && !arg.contains(['=', ' ', ':']) && self.finder.names.says(arg) != Says::Nothing;
            out.string_value(arg);
        }
        out.out.push(b']');
        out.finish(whole, placeholder)
    }

    /// Environment variables, as a JSON object in the given order.
    pub fn env<K: AsRef<str>, V: AsRef<str>>(&self, variables: &[(K, V)], salt: &mut dyn FnMut() -> Salt) -> Redacted {
        let whole = || {
            let parts = variables.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
            Value::Array(parts.map(|part| Value::String(part.into())).collect()).to_canonical()
        };
        let mut out = Writer::new(self, salt);
        out.out.push(b'{');
        for (at, (name, value)) in variables.iter().enumerate() {
            if at > 0 {
                out.out.push(b',');
            }
            out.name(name.as_ref());
            let value = value.as_ref();
            if !value.is_empty() && self.finder.names.says(name.as_ref()) != Says::Nothing {
                out.whole(FIELD, value.as_bytes());
            } else {
                out.string_value(value);
            }
        }
        out.out.push(b'}');
        out.finish(whole, placeholder)
    }
}

fn is_flag(arg: &str) -> bool {
    arg.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()))
}

fn placeholder(kind: &str, commitment: &Digest) -> String {
    format!(r#"{{"redacted":"{kind}","commitment":"{commitment}"}}"#)
}

fn mark(kind: &str, commitment: &Digest) -> String {
    format!("[redacted:{kind}:{commitment}]")
}

/// What becomes of a string.
enum Kept<'r> {
    /// It stays.
    Same,
    /// It goes whole.
    Gone(&'r str, Digest),
    /// It has placeholders in it.
    Text(String),
}

impl Kept<'_> {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Same => None,
            // In a text there is no place for an object.
            Self::Gone(kind, commitment) => Some(mark(kind, &commitment)),
            Self::Text(text) => Some(text),
        }
    }
}

struct Writer<'r, 's> {
    rules: &'r Rules,
    salt: &'s mut dyn FnMut() -> Salt,
    salts: Vec<Salted>,
    out: Vec<u8>,
    found: Vec<Found<'r>>,
    /// Names of members that neither are a secret nor speak of one.
    ordinary: HashSet<Box<str>>,
    nested: usize,
}

impl<'r, 's> Writer<'r, 's> {
    fn new(rules: &'r Rules, salt: &'s mut dyn FnMut() -> Salt) -> Self {
        Self {
            rules,
            salt,
            salts: Vec::new(),
            out: Vec::with_capacity(256),
            found: Vec::new(),
            ordinary: HashSet::new(),
            nested: 0,
        }
    }

    fn finish(mut self, whole: impl FnOnce() -> Vec<u8>, write: impl FnOnce(&str, &Digest) -> String) -> Redacted {
        if self.is_full() {
            self.salts.clear();
            let commitment = self.commit(TOO_MANY, &whole());
            return Redacted { text: write(TOO_MANY, &commitment), salts: self.salts };
        }
        // Only whole strings and ASCII are ever appended.
        let text = String::from_utf8(self.out).unwrap_or_default();
        Redacted { text, salts: self.salts }
    }

    fn is_full(&self) -> bool {
        self.salts.len() > MAX_SALTS
    }

    fn commit(&mut self, kind: &str, secret: &[u8]) -> Digest {
        let salt = (self.salt)();
        let commitment = Digest::salted(&salt, secret);
        self.salts.push(Salted { kind: kind.to_owned(), commitment, salt });
        commitment
    }

    fn whole(&mut self, kind: &str, secret: &[u8]) {
        let commitment = self.commit(kind, secret);
        self.out.extend_from_slice(placeholder(kind, &commitment).as_bytes());
    }

    /// A secret by its name or place. `null`, booleans and the empty string say nothing and stay.
    fn secret(&mut self, kind: &str, value: &Value<'_>) {
        match value {
            Value::Null | Value::Bool(_) => write_canonical(value, &mut self.out),
            Value::String(text) if text.is_empty() => write_canonical(value, &mut self.out),
            Value::String(text) => self.whole(kind, text.as_bytes()),
            _ => self.whole(kind, &value.to_canonical()),
        }
    }

    fn value(&mut self, value: &Value<'_>, at: &[Place]) {
        if self.is_full() {
            return;
        }
        let rules = self.rules;
        if let Some(kind) = rules.paths.ends(at) {
            return self.secret(kind, value);
        }
        match value {
            Value::Null | Value::Bool(_) => write_canonical(value, &mut self.out),
            Value::Number(number) => {
                let from = self.out.len();
                write_canonical(value, &mut self.out);
                // A whole number of card length; anything shorter is not worth looking at.
                if number.abs() >= 1e12 {
                    let digits = self.out.split_off(from);
                    let is_card = str::from_utf8(&digits).is_ok_and(|digits| rules.finder.is_card(digits));
                    if is_card { self.whole(CARD, &digits) } else { self.out.extend_from_slice(&digits) }
                }
            }
            Value::String(text) => self.string_value(text),
            Value::Array(items) => {
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(b',');
                    }
                    if at.is_empty() {
                        self.value(item, at);
                    } else {
                        self.value(item, &rules.paths.down(at, &index.to_string()));
                    }
                }
                self.out.push(b']');
            }
            Value::Object(object) => self.object(object, at, false),
        }
    }

    fn object(&mut self, object: &Object<'_>, at: &[Place], properties: bool) {
        let rules = self.rules;
        // `{"name": "API_KEY", "value": "…"}`, as lists of variables and headers are written.
        let told = ["name", "key", "header", "field"].into_iter().any(|name| {
            let named = object.get(name).and_then(Value::as_str);
            named.is_some_and(|name| rules.finder.names.says(name) != Says::Nothing)
        });
        self.out.push(b'{');
        for (index, (name, value)) in object.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let secret = self.member(name) || (told && name == "value");
            let down = if at.is_empty() { Vec::new() } else { rules.paths.down(at, name) };
            match value {
                _ if rules.paths.ends(&down).is_some() => self.value(value, &down),
                Value::Object(schema) if secret && properties => self.schema(schema, &down),
                _ if secret => self.secret(FIELD, value),
                Value::Object(object) => self.object(object, &down, name == "properties"),
                _ => self.value(value, &down),
            }
        }
        self.out.push(b'}');
    }

    /// What a JSON Schema says of a property with a secret's name: that it is one, not which.
    fn schema(&mut self, schema: &Object<'_>, at: &[Place]) {
        self.out.push(b'{');
        for (index, (name, value)) in schema.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.name(name);
            let down = if at.is_empty() { Vec::new() } else { self.rules.paths.down(at, name) };
            if SCHEMA.contains(&name) { self.value(value, &down) } else { self.secret(FIELD, value) }
        }
        self.out.push(b'}');
    }

    /// Writes the name of a member, and says whether its value is a secret by it.
    fn member(&mut self, name: &str) -> bool {
        if self.ordinary.contains(name) {
            write_string(name, &mut self.out);
            self.out.push(b':');
            return false;
        }
        let secret = self.rules.finder.names.says(name) != Says::Nothing;
        let same = self.name(name);
        if same && !secret && self.ordinary.len() < MAX_ORDINARY {
            self.ordinary.insert(name.into());
        }
        secret
    }

    /// Writes a name, and says whether it stayed as it was.
    fn name(&mut self, name: &str) -> bool {
        let kept = self.plain(name).into_text();
        write_string(kept.as_deref().unwrap_or(name), &mut self.out);
        self.out.push(b':');
        kept.is_none()
    }

    fn string_value(&mut self, text: &str) {
        match self.string(text) {
            Kept::Same => write_string(text, &mut self.out),
            Kept::Text(text) => write_string(&text, &mut self.out),
            Kept::Gone(kind, commitment) => self.out.extend_from_slice(placeholder(kind, &commitment).as_bytes()),
        }
    }

    fn string(&mut self, text: &str) -> Kept<'r> {
        if self.is_full() {
            return Kept::Text(String::new());
        }
        let start = text.trim_ascii_start();
        if start.starts_with(['{', '[', '"'])
            && self.nested < MAX_NESTED
            && text.len() <= self.rules.longest
            && let Ok(value) = json::parse(start.as_bytes())
        {
            return self.json(&value);
        }
        self.plain(text)
    }

    /// JSON inside of a string. Where nothing is redacted the text stays as it was spelt.
    fn json(&mut self, value: &Value<'_>) -> Kept<'r> {
        let salts = self.salts.len();
        let outer = std::mem::take(&mut self.out);
        self.nested += 1;
        self.value(value, &[]);
        self.nested -= 1;
        let inner = std::mem::replace(&mut self.out, outer);
        if self.salts.len() == salts { Kept::Same } else { Kept::Text(String::from_utf8(inner).unwrap_or_default()) }
    }

    fn plain(&mut self, text: &str) -> Kept<'r> {
        let mut found = std::mem::take(&mut self.found);
        self.rules.finder.find(text, &mut found);
        let kept = self.replaced(text, &found);
        self.found = found;
        kept
    }

    fn replaced(&mut self, text: &str, found: &[Found<'r>]) -> Kept<'r> {
        let longest = self.rules.longest;
        if let [only] = found
            && only.from == 0
            && only.to == text.len()
        {
            let commitment = self.commit(only.kind, text.as_bytes());
            return Kept::Gone(only.kind, commitment);
        }
        if found.is_empty() && text.len() <= longest {
            return Kept::Same;
        }
        // A secret across the cut goes with what is cut off.
        let mut end = text.len();
        if text.len() > longest {
            end = text.floor_char_boundary(longest);
            end = found.iter().find(|found| found.from < end && end < found.to).map_or(end, |found| found.from);
        }
        let mut out = String::with_capacity(end);
        let mut at = 0;
        for Found { from, to, kind } in found.iter().take_while(|found| found.to <= end) {
            if self.is_full() {
                return Kept::Text(String::new());
            }
            out.push_str(text.get(at..*from).unwrap_or_default());
            let commitment = self.commit(kind, text.get(*from..*to).unwrap_or_default().as_bytes());
            out.push_str(&mark(kind, &commitment));
            at = *to;
        }
        out.push_str(text.get(at..end).unwrap_or_default());
        if end < text.len() {
            let commitment = self.commit(CUT, text.get(end..).unwrap_or_default().as_bytes());
            out.push_str(&mark(CUT, &commitment));
        }
        Kept::Text(out)
    }
}
