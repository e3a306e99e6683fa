//! Long runs of base64 or hex within other text.

/// Shortest run of hex digits.
const HEX: usize = 64;
/// Shortest run of base64.
const BASE64: usize = 80;
/// How much other text there must be: what is nothing but data hides in nothing.
const AROUND: usize = 16;

/// How many runs there are.
pub(super) fn runs(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut count, mut at) = (0, 0);
    // Every run of this length has a byte at one of these places, so most of the text is never looked at here.
    while let Some(byte) = bytes.get(at) {
        if !is_base64(*byte) {
            at += HEX;
            continue;
        }
        let before = bytes.iter().take(at).rev().take_while(|byte| is_base64(**byte)).take(HEX).count();
        let start = at - before;
        let run = bytes.get(start..).unwrap_or_default();
        let run = run.get(..run.iter().take_while(|byte| is_base64(**byte)).count()).unwrap_or_default();
        if is_data(run) && bytes.len() - run.len() >= AROUND {
            count += 1;
        }
        at = start + run.len() + HEX;
    }
    count
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

fn is_data(run: &[u8]) -> bool {
    if run.len() < HEX {
        return false;
    }
    let count = |is: fn(&u8) -> bool| run.iter().filter(|byte| is(byte)).count();
    let digits = count(u8::is_ascii_digit);
    if run.iter().all(u8::is_ascii_hexdigit) {
        return digits > 0 && digits < run.len();
    }
    // Paths and identifiers have more of these than one in 16 (random base64 has one in 32), rulers nothing else.
    let joints = count(|byte| matches!(byte, b'/' | b'-' | b'_' | b'+'));
    run.len() >= BASE64
        && digits > 0
        && count(u8::is_ascii_uppercase) > run.len() / 8
        && count(u8::is_ascii_lowercase) > run.len() / 8
        && joints * 16 <= run.len() + 32
}
