//! Mutations of a document's bytes: what stands around it, what it is encoded in, and plain damage.

use super::random::Random;

/// What some reader takes for an end of a text, of a line, or for nothing at all.
const BETWEEN: [&str; 20] = [
    "", " ", "\n", "\r", "\r\n", "\n\r", "\t", "\0", "\u{1e}", "\u{b}", "\u{c}", "\u{85}", "\u{a0}", "\u{feff}",
    "\u{2028}", "\u{2029}", ",", ";", "//", "/**/",
];

/// Changes the bytes in one place. `other` is another message, well-formed.
pub fn mutate(bytes: Vec<u8>, other: &[u8], random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => [random.pick(&BETWEEN).as_bytes(), &bytes].concat(),
        1 => [&bytes, random.pick(&BETWEEN).as_bytes()].concat(),
        2 => [&bytes, random.pick(&BETWEEN).as_bytes(), other].concat(),
        3 => [other, random.pick(&BETWEEN).as_bytes(), &bytes].concat(),
        4 | 5 => within(bytes, other, random),
        6 => encoded(bytes, random),
        7 => {
            let garbage: &[&[u8]] = &[
                b"{}",
                b"x",
                b"]",
                b"}",
                b")]}'\n",
                b"data: ",
                b"Content-Length: 9\r\n\r\n",
                b"\x1f\x8b\x08",
                b"[",
                b"\"",
                b"\\",
            ];
            let garbage = *random.pick(garbage);
            if random.once_in(2) { [garbage, &bytes].concat() } else { [&bytes, garbage].concat() }
        }
        _ => damaged(bytes, other, random),
    }
}

/// Puts a whole message, set off as a line of its own, where the document has a place for blanks.
fn within(mut bytes: Vec<u8>, other: &[u8], random: &mut Random) -> Vec<u8> {
    let start = random.below(bytes.len());
    let found = bytes.iter().enumerate().skip(start).find(|(_, c)| matches!(c, b',' | b':' | b'{' | b'['));
    let at = found.map_or(0, |(at, _)| at + 1);
    let mark = random.pick(&BETWEEN).as_bytes();
    let piece = if random.once_in(3) { mark.to_vec() } else { [mark, other, mark].concat() };
    bytes.splice(at..at, piece);
    bytes
}

/// The text in another encoding, with or without its mark.
fn encoded(bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let marked = if random.once_in(2) { format!("\u{feff}{text}") } else { text };
    match random.below(6) {
        0 => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        2 => marked.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        3 => marked.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        4 => marked.into_bytes(),
        // Latin-1, where it can hold the text.
        _ => marked.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
    }
}

fn damaged(mut bytes: Vec<u8>, other: &[u8], random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = *random.pick(b"\"'\\{}[]:,/ \0\r\n0e-.u\xc2\xef\xed"),
            2 => bytes.insert(at, *random.pick(b"\"'\\{}[]:,/ \0\r\n0e-.u\xc2\xef\xed")),
            3 => drop(bytes.remove(at)),
            4 => {
                let until = (at + 1 + random.below(8)).min(bytes.len());
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let from = random.below(other.len());
                let until = (from + 1 + random.below(40)).min(other.len());
                bytes.splice(at..at, other[from..until].iter().copied());
            }
        }
        if bytes.is_empty() {
            bytes.push(b'{');
        }
    }
    if random.once_in(12) {
        bytes.truncate(1 + random.below(bytes.len()));
    }
    bytes
}
