//! Secrets behind a fixed word: PEM private keys, `Bearer`, `Basic`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Finder, Found};

/// The first letter of the two schemes is left out, so that its case does not matter.
pub(super) const LITERALS: [&str; 5] = ["-----BEGIN ", "earer ", "EARER ", "asic ", "ASIC "];

/// Headers and tails of PEM are at most this long (RFC 7468 knows none longer than 40).
const PEM_LINE: usize = 80;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Finder {
    pub(super) fn literals<'r>(&'r self, text: &str, out: &mut Vec<Found<'r>>) {
        if !self.on.bearer && !self.on.private_keys {
            return;
        }
        let mut covered = 0;
        for hit in self.literals.find_iter(text) {
            if hit.start() < covered {
                continue;
            }
            let rest = text.get(hit.end()..).unwrap_or_default();
            let found = match hit.pattern().as_usize() {
                0 if self.on.private_keys => {
                    private_key(rest).map(|length| (hit.start(), hit.end() + length, "private-key"))
                }
                1..=4 if self.on.bearer => credentials(text, hit.start(), rest, hit.pattern().as_usize() > 2)
                    .map(|length| (hit.end(), hit.end() + length, "credentials")),
                _ => None,
            };
            if let Some((from, to, kind)) = found {
                out.push(Found { from, to, kind });
                covered = to;
            }
        }
    }
}

/// How far a PEM private key goes whose label begins `rest`: to its tail, or to the end of a text that was cut.
fn private_key(rest: &str) -> Option<usize> {
    let label = rest.get(..rest.floor_char_boundary(PEM_LINE))?;
    label.split("-----").next().filter(|label| label.contains("PRIVATE KEY"))?;
    let Some(tail) = rest.find("-----END ") else { return Some(rest.len()) };
    let after = tail + "-----END ".len();
    let close = rest.get(after..).and_then(|rest| rest.find("-----")).filter(|length| *length < PEM_LINE);
    Some(close.map_or(after, |length| after + length + 5))
}

/// How long the credentials after a scheme's name are, if that is what they are and not prose.
fn credentials(text: &str, name: usize, rest: &str, basic: bool) -> Option<usize> {
    let first = name.checked_sub(1).and_then(|at| text.as_bytes().get(at))?;
    if !first.eq_ignore_ascii_case(&b'b') {
        return None;
    }
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    let token = rest.get(blanks..)?;
    // `token68` of RFC 9110, section 11.2.
    let belongs = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let length = token.find(|c| !belongs(c)).unwrap_or(token.len());
    let token = token.get(..length)?;
    let is = if basic {
        let text = LENIENT.decode(token.trim_end_matches('=')).ok();
        length >= 4 && text.is_some_and(|text| text.contains(&b':'))
    } else {
        let mixed = token.bytes().any(|c| c.is_ascii_digit()) || token.bytes().skip(1).any(|c| c.is_ascii_uppercase());
        length >= 6 && (mixed || length >= 20)
    };
    is.then_some(blanks + length)
}
