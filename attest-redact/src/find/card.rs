//! Payment cards: 13 to 19 digits, in groups or not, whose check digit is right (ISO/IEC 7812-1, annex B).

use super::Found;

const KIND: &str = "card";

/// Whether these digits are a card's number: a range that card networks issue from, and Luhn's check digit.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    if !(13..=19).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // 2221–2720 Mastercard; 30, 34–39 Diners, Amex, JCB; 4 Visa; 5 Mastercard, Maestro; 6 Discover, UnionPay, Maestro. Times
    // in milli- and microseconds start with 1, and so pass.
    let issued = match digits {
        [b'4'..=b'6', ..] => true,
        [b'3', b'0' | b'4'..=b'9', ..] => true,
        [b'2', b'2'..=b'7', ..] => digits.len() == 16,
        _ => false,
    };
    // One digit all over passes Luhn and is no card.
    let varied = digits.windows(2).any(|pair| matches!(pair, [a, b] if a != b));
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            match (at % 2, digit) {
                (0, _) => digit,
                (_, 0..=4) => digit * 2,
                _ => digit * 2 - 9,
            }
        })
        .sum();
    issued && varied && sum.is_multiple_of(10)
}

/// Cards in the run of digits, blanks and hyphens from `from` to `to`. At every digit that begins a group the longest number
/// that passes is taken, groups being one blank or hyphen apart.
pub(super) fn find(bytes: &[u8], from: usize, to: usize, out: &mut Vec<Found<'_>>) {
    let word = |at: Option<&u8>| at.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
    let digit = |at: usize| at < to && bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = from;
    while at < to {
        let before = |count: usize| at.checked_sub(count).and_then(|at| bytes.get(at));
        // The letter of an escape such as `\n` is no part of a word.
        let begins = digit(at) && (!word(before(1)) || before(2) == Some(&b'\\'));
        let end = if begins { longest(bytes, at, to, word) } else { None };
        match end {
            Some(end) => {
                out.push(Found { from: at, to: end, kind: KIND });
                at = end;
            }
            None => at += 1,
        }
    }
}

fn longest(bytes: &[u8], from: usize, to: usize, word: impl Fn(Option<&u8>) -> bool) -> Option<usize> {
    let mut digits = [0u8; 19];
    let mut count = 0;
    let mut found = None;
    let mut gap = false;
    for (at, byte) in bytes.iter().enumerate().take(to).skip(from) {
        if !byte.is_ascii_digit() {
            if gap {
                break;
            }
            gap = true;
            continue;
        }
        gap = false;
        let Some(slot) = digits.get_mut(count) else { break };
        *slot = *byte;
        count += 1;
        let ends = !word(bytes.get(at + 1));
        if ends && digits.get(..count).is_some_and(is_card) {
            found = Some(at + 1);
        }
    }
    found
}
