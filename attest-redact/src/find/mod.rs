//! Finding secrets in a text.
//!
//! Prose is passed over at several hundred megabytes a second: each detector starts from something that a secret of its kind
//! must hold and prose seldom does, found by vectorised search or by looking at every sixteenth byte ([`runs`]), and
//! reads the text around it only there. Each byte is read by a bounded number of detectors: none starts again inside of
//! what it has already covered.

mod card;
mod literal;
mod punctuation;
mod runs;
mod token;

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use percent_encoding::percent_decode_str;

use crate::config::{Alphabet, File, Find, MAX_RULES, RulesError};
use crate::names::Names;

pub(crate) use card::is_card;

/// How often an encoding is looked behind: once for `%70`, twice for `%2570`.
const MAX_LAYERS: usize = 2;

/// Shortest of what is found without a name beside it: a token has a prefix of two and four more.
const SHORTEST: usize = 6;

/// A stretch of a text that is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found<'r> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) kind: &'r str,
}

#[derive(Debug)]
pub(crate) struct Finder {
    pub(crate) names: Names,
    on: On,
    literals: AhoCorasick,
    prefixes: AhoCorasick,
    /// Alphabet, least length and kind, by the index of the prefix.
    tokens: Vec<(Alphabet, usize, String)>,
}

#[derive(Clone, Copy, Debug)]
struct On {
    cards: bool,
    mail: bool,
    tokens: bool,
    bearer: bool,
    private_keys: bool,
    urls: bool,
    assignments: bool,
    random: bool,
}

impl From<Find> for On {
    fn from(find: Find) -> Self {
        Self {
            cards: find.cards.unwrap_or(false),
            mail: find.mail.unwrap_or(false),
            tokens: find.tokens.unwrap_or(false),
            bearer: find.bearer.unwrap_or(false),
            private_keys: find.private_keys.unwrap_or(false),
            urls: find.urls.unwrap_or(false),
            assignments: find.assignments.unwrap_or(false),
            random: find.random.unwrap_or(false),
        }
    }
}

impl Finder {
    pub(crate) fn new(file: &File) -> Result<Self, RulesError> {
        let wrong = |error: aho_corasick::BuildError| RulesError::Toml(error.to_string());
        let mut prefixes = Vec::new();
        let mut tokens = Vec::new();
        for rule in &file.token {
            let fits = |prefix: &String| prefix.len() >= 2 && prefix.bytes().all(|c| c.is_ascii_graphic());
            if rule.least < 4 || rule.prefixes.is_empty() || !rule.prefixes.iter().all(fits) {
                return Err(RulesError::Token(rule.kind.clone()));
            }
            for prefix in &rule.prefixes {
                prefixes.push(prefix.as_str());
                tokens.push((rule.of, rule.least, rule.kind.clone()));
            }
        }
        if prefixes.len() > MAX_RULES {
            return Err(RulesError::TooMany(prefixes.len()));
        }
        Ok(Self {
            names: Names::new(&file.names)?,
            on: file.find.into(),
            // Of this kind alone there is a vectorised search.
            literals: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .build(literal::LITERALS)
                .map_err(wrong)?,
            prefixes: AhoCorasick::new(prefixes).map_err(wrong)?,
            tokens,
        })
    }

    /// Whether a number of these digits is a card's.
    pub(crate) fn is_card(&self, digits: &str) -> bool {
        self.on.cards && is_card(digits.as_bytes())
    }

    /// Everything to redact in `text`, in order, without overlaps, on character boundaries.
    pub(crate) fn find<'r>(&'r self, text: &str, out: &mut Vec<Found<'r>>) {
        out.clear();
        // Every secret that is known by itself is longer than a word like this.
        if text.len() < SHORTEST && text.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return;
        }
        self.layer(text, MAX_LAYERS, out);
        if out.len() > 1 {
            merge(out);
        }
        for found in out {
            found.from = text.floor_char_boundary(found.from);
            found.to = text.ceil_char_boundary(found.to);
        }
    }

    fn layer<'r>(&'r self, text: &str, layers: usize, out: &mut Vec<Found<'r>>) {
        self.literals(text, out);
        self.punctuation(text, out);
        if self.on.tokens || self.on.random {
            for (from, to) in runs::runs::<{ runs::TOKEN }>(text.as_bytes()) {
                self.run(text, from, to, out);
            }
        }
        if self.on.cards {
            for (from, to) in runs::runs::<{ runs::DIGITS }>(text.as_bytes()) {
                card::find(text.as_bytes(), from, to, out);
            }
        }
        if layers > 0 {
            self.disguised(text, layers - 1, out);
        }
    }

    /// What is spelt with `%70` or `\u0070`: the word that the escape is in is decoded and looked at, and goes whole if
    /// anything is found in it.
    fn disguised<'r>(&'r self, text: &str, layers: usize, out: &mut Vec<Found<'r>>) {
        let bytes = text.as_bytes();
        let mut covered = 0;
        for at in memchr::memchr2_iter(b'%', b'\\', bytes) {
            let escape = |from: usize, count: usize| {
                bytes.get(from..from + count).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            };
            let is_escape = match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'%'), _) => escape(at + 1, 2),
                (_, Some(b'u')) => escape(at + 2, 4),
                (_, next) => matches!(next, Some(b'/' | b'n' | b'r' | b't' | b'b' | b'f' | b'"')),
            };
            if at < covered || !is_escape {
                continue;
            }
            let ends = |c: &u8| c.is_ascii_whitespace();
            let from =
                bytes.get(covered..at).unwrap_or_default().iter().rposition(ends).map_or(covered, |i| covered + i + 1);
            let to = bytes.get(at..).unwrap_or_default().iter().position(ends).map_or(bytes.len(), |i| at + i);
            covered = to;
            let word = text.get(from..to).unwrap_or_default();
            let mut inside = Vec::new();
            self.layer(&decoded(word), layers, &mut inside);
            // The raw spelling is looked at anyway; only what the escapes hide is news.
            if let Some(first) = inside.first() {
                out.push(Found { from, to, kind: first.kind });
            }
        }
    }
}

/// `%xx` and the escapes of JSON resolved; what does not decode stays.
fn decoded(word: &str) -> String {
    let word = if word.contains('\\') { Cow::Owned(unescaped(word)) } else { Cow::Borrowed(word) };
    percent_decode_str(&word).decode_utf8_lossy().into_owned()
}

fn unescaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let code = escape.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        let (c, length) = match (escape.as_bytes().get(1), code) {
            (Some(b'u'), Some(c)) => (c, 6),
            (Some(b'/'), _) => ('/', 2),
            (Some(b'"'), _) => ('"', 2),
            // Whichever blank it is, no word goes on past it.
            (Some(b'n' | b'r' | b't' | b'b' | b'f'), _) => ('\n', 2),
            _ => ('\\', 1),
        };
        out.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Sorts, and joins what overlaps or touches. The joined stretch has the kind of the first that says more than `random`.
fn merge(found: &mut Vec<Found<'_>>) {
    found.sort_by_key(|found| (found.from, found.to));
    found.dedup_by(|next, last| {
        if next.from > last.to {
            return false;
        }
        last.to = last.to.max(next.to);
        if last.kind == token::RANDOM {
            last.kind = next.kind;
        }
        true
    });
}
