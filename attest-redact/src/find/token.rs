//! Long words: keys of known services by prefix, JWTs, and what looks random.

use super::{Finder, Found};

pub(super) const RANDOM: &str = "random";
const JWT: &str = "jwt";

/// Shortest string that can look random.
const LEAST: usize = 20;

impl Finder {
    /// Looks at one run of token characters.
    pub(super) fn run<'r>(&'r self, text: &str, from: usize, to: usize, out: &mut Vec<Found<'r>>) {
        let Some(run) = text.as_bytes().get(from..to) else { return };
        if self.on.tokens {
            self.prefixed(run, from, out);
            jwts(run, from, out);
        }
        if self.on.random {
            random(run, from, out);
        }
    }

    fn prefixed<'r>(&'r self, run: &[u8], offset: usize, out: &mut Vec<Found<'r>>) {
        let mut covered = 0;
        for hit in self.prefixes.find_overlapping_iter(run) {
            let Some((of, least, kind)) = self.tokens.get(hit.pattern().as_usize()) else { continue };
            // A short prefix is also the tail of some word: `task-`.
            let glued = hit.start().checked_sub(1).and_then(|at| run.get(at)).is_some_and(u8::is_ascii_alphanumeric);
            if hit.end() < covered
                || (glued && hit.len() <= 4 && !run.get(..hit.end()).is_some_and(|p| p.ends_with(b"_")))
            {
                continue;
            }
            let rest = run.get(hit.end()..).unwrap_or_default();
            let length = rest.iter().position(|c| !of.has(*c)).unwrap_or(rest.len());
            let body = rest.get(..length).unwrap_or_default();
            if length >= *least {
                // Also where it is none: later starts in the same stretch would each read it again.
                covered = hit.end() + length;
            }
            if length >= *least && is_mixed(body) {
                out.push(Found { from: offset + hit.start(), to: offset + covered, kind });
            }
        }
    }
}

/// Whether there is a digit, or letters of both cases: names of things have neither.
fn is_mixed(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_digit)
        || (body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase))
}

/// JWTs and JWEs in the compact form (RFC 7519): their header starts with `{"`, which is `eyJ` in base64url.
fn jwts(run: &[u8], offset: usize, out: &mut Vec<Found<'_>>) {
    let mut covered = 0;
    for at in memchr::memmem::find_iter(run, b"eyJ") {
        if at < covered {
            continue;
        }
        let rest = run.get(at..).unwrap_or_default();
        let belongs = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'=');
        let length = rest.iter().position(|c| !belongs(c)).unwrap_or(rest.len());
        let token = rest.get(..length).unwrap_or_default();
        // Covered either way: a later start in the same stretch would be read again, and ends where this one does.
        covered = at + length;
        if length >= LEAST && token.contains(&b'.') {
            out.push(Found { from: offset + at, to: offset + covered, kind: JWT });
        }
    }
}

/// What of a run looks random: the whole value of `name=value`, or else the parts of a path.
fn random(run: &[u8], offset: usize, out: &mut Vec<Found<'_>>) {
    // `=` at the end pads base64; elsewhere it parts name and value.
    let padded = run.iter().rposition(|c| *c != b'=').map_or(0, |at| at + 1);
    for (from, to) in pieces(run, 0, padded, |c| matches!(c, b'=' | b',')) {
        let to = if to == padded { run.len() } else { to };
        let mut push = |from, to| out.push(Found { from: offset + from, to: offset + to, kind: RANDOM });
        if looks_random(run.get(from..to).unwrap_or_default()) {
            push(from, to);
            continue;
        }
        for (from, to) in pieces(run, from, to, |c| matches!(c, b'/' | b'.' | b'~' | b'%')) {
            if looks_random(run.get(from..to).unwrap_or_default()) {
                push(from, to);
            }
        }
    }
}

fn pieces(run: &[u8], from: usize, to: usize, cuts: impl Fn(u8) -> bool) -> impl Iterator<Item = (usize, usize)> {
    let mut at = from;
    let piece = run.get(from..to).unwrap_or_default();
    piece.split(move |c| cuts(*c)).map(move |piece| {
        let start = at;
        at = start + piece.len() + 1;
        (start, start + piece.len())
    })
}

/// How often neighbours are of different sorts (small letter, capital, digit): two in three of random base64, one in two of
/// random hexadecimal, one in six of words run together. It tells keys from names better than Shannon's entropy, which is
/// near its upper bound for any string of this length.
fn looks_random(text: &[u8]) -> bool {
    if text.len() < LEAST {
        return false;
    }
    let mut seen = Seen::default();
    let mut hex_part = false;
    for part in text.split(|c| matches!(c, b'/' | b'.' | b'~' | b'%')) {
        if is_uuid(part) {
            continue;
        }
        hex_part |= is_random_hex(part);
        seen.add(part);
    }
    if seen.distinct.count_ones() < 8 || seen.pairs < 14 {
        return false;
    }
    let percent = seen.changes * 100 / seen.pairs.max(1);
    hex_part
        || (seen.digits >= 2 && seen.letters >= 2 && percent >= 27)
        || (seen.capitals_in_row >= 2 && seen.small >= 2 && percent >= 36)
}

#[derive(Default)]
struct Seen {
    digits: usize,
    letters: usize,
    small: usize,
    capitals_in_row: usize,
    pairs: usize,
    changes: usize,
    /// One bit for each ASCII character.
    distinct: u128,
}

impl Seen {
    fn add(&mut self, part: &[u8]) {
        let mut last = 0;
        for c in part {
            let sort = match c {
                b'a'..=b'z' => 1,
                b'A'..=b'Z' => 2,
                b'0'..=b'9' => 3,
                _ => 0,
            };
            self.distinct |= 1 << (c & 127);
            self.digits += usize::from(sort == 3);
            self.letters += usize::from(sort == 1 || sort == 2);
            self.small += usize::from(sort == 1);
            self.capitals_in_row += usize::from(sort == 2 && last == 2);
            if sort != 0 && last != 0 {
                self.pairs += 1;
                self.changes += usize::from(sort != last);
            }
            last = sort;
        }
    }
}

/// 8-4-4-4-12 hexadecimal digits: they name things far more often than they open them.
fn is_uuid(part: &[u8]) -> bool {
    part.len() == 36
        && part.iter().enumerate().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => *c == b'-',
            _ => c.is_ascii_hexdigit(),
        })
}

fn is_random_hex(part: &[u8]) -> bool {
    let digits = part.iter().filter(|c| c.is_ascii_digit()).count();
    part.len() >= 24 && part.iter().all(u8::is_ascii_hexdigit) && digits >= 3 && part.len() - digits >= 3
}
