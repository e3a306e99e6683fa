//! One text, spelled otherwise: rightly, in other letters, or wrongly.

use super::random::Random;

/// The characters of a text as it is written, quotes not among them; nothing where it is written wrongly already.
fn characters(text: &[u8]) -> Option<String> {
    serde_json::from_slice(text).ok()
}

/// The same text with other escapes.
pub fn respelled(text: &[u8], random: &mut Random) -> Vec<u8> {
    let Some(characters) = characters(text) else { return text.to_vec() };
    let mut out = vec![b'"'];
    let often = 1 + random.below(6);
    for c in characters.chars() {
        match c {
            '/' if random.once_in(2) => out.extend_from_slice(b"\\/"),
            c if u32::from(c) < 0x20 || c == '"' || c == '\\' || random.once_in(often) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let digits = if random.once_in(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                    out.extend_from_slice(digits.as_bytes());
                }
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
    out
}

/// The text with some letters in another case, or one that folds to them.
pub fn recased(text: &[u8], random: &mut Random) -> Vec<u8> {
    let Some(characters) = characters(text) else { return text.to_vec() };
    let often = 1 + random.below(4);
    let recased: String = characters
        .chars()
        .map(|c| match c {
            's' if random.once_in(3) => '\u{17f}',
            'k' if random.once_in(3) => '\u{212a}',
            'i' if random.once_in(4) => *random.pick(&['\u{130}', '\u{131}', 'I']),
            c if random.once_in(often) => c.to_ascii_uppercase(),
            c => c,
        })
        .collect();
    super::tree::quoted(&recased)
}

/// What is put into a text to spoil it, in bytes.
const SPOILERS: [&[u8]; 36] = [
    b"\0",
    b"\\u0000",
    b"\x01",
    b"\x0b",
    b"\x1f",
    b"\x7f",
    b"\\u0080",
    b"\\u009f",
    b"\xc2\x80",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b"\\x41",
    b"\\'",
    b"\\u12",
    b"\\U0041",
    b"\\ud800",
    b"\\udc00",
    b"\\uDFFFx",
    b"\\udc00\\ud800",
    b"\\ud83d\\ude00",
    b"\\ud83d\xf0\x9f\x98\x80",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xc0\x80",
    b"\xc1\xad",
    b"\xe0\x81\xad",
    b"\xf0\x80\x81\xad",
    b"\xff",
    b"\xfe",
    b"\xf4\x90\x80\x80",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\xef\xbf\xbf",
];

/// The text with something in it that a text may not have, or that some reader does not let stand.
pub fn misspelled(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = text.to_vec();
    let inner = text.len().saturating_sub(2);
    match random.below(6) {
        0 => {
            // The overlong form of one of its letters.
            let at = 1 + random.below(inner);
            let Some(&c) = out.get(at).filter(|c| c.is_ascii_alphabetic()) else { return out };
            let long = match random.below(3) {
                0 => vec![0xC0 | (c >> 6), 0x80 | (c & 0x3F)],
                1 => vec![0xE0, 0x80 | (c >> 6), 0x80 | (c & 0x3F)],
                _ => vec![0xF0, 0x80, 0x80 | (c >> 6), 0x80 | (c & 0x3F)],
            };
            out.splice(at..=at, long);
        }
        1 => {
            for quote in [0, out.len() - 1] {
                out[quote] = b'\'';
            }
        }
        2 if random.once_in(3) => {
            out.remove(0);
            out.pop();
        }
        // At the end, where a reader in C would cut.
        3 => {
            let end = out.len() - 1;
            out.splice(end..end, random.pick(&SPOILERS).iter().copied());
        }
        _ => {
            let at = 1 + random.below(inner + 1);
            out.splice(at..at, random.pick(&SPOILERS).iter().copied());
        }
    }
    out
}
