//! Long runs of characters of one class, found without reading every byte.

/// Letters, digits and what stands inside of tokens; at least 16.
pub(super) const TOKEN: u8 = 1;
/// Digits and what stands between groups of them; at least 13.
pub(super) const DIGITS: u8 = 2;

const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut class = [0; 256];
    let mut c = 0;
    while c < 256 {
        let b = c as u8;
        let mut is = 0;
        if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~' | b'%' | b',') {
            is |= TOKEN;
        }
        if b.is_ascii_digit() || matches!(b, b' ' | b'-') {
            is |= DIGITS;
        }
        #[allow(clippy::indexing_slicing, reason = "0..256 into 256, and const fn has no iterator")]
        {
            class[c] = is;
        }
        c += 1;
    }
    class
}

const fn least(which: u8) -> usize {
    if which == TOKEN { 16 } else { 13 }
}

fn is<const WHICH: u8>(byte: u8) -> bool {
    CLASS.get(usize::from(byte)).is_some_and(|class| class & WHICH != 0)
}

/// The runs, from and to. A run of `n` covers one of every `n` bytes, so only those are looked at until one belongs.
pub(super) fn runs<const WHICH: u8>(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let least = least(WHICH);
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let window = bytes.get(from..from + least)?;
            // The last byte that does not belong: no run starts before the one after it.
            match window.iter().rposition(|byte| !is::<WHICH>(*byte)) {
                Some(at) => from += at + 1,
                None => {
                    let start = from;
                    let rest = bytes.get(start + least..).unwrap_or_default();
                    let more = rest.iter().position(|byte| !is::<WHICH>(*byte)).unwrap_or(rest.len());
                    let end = start + least + more;
                    from = end;
                    return Some((start, end));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_that_reading_every_byte_finds() {
        let mut state = 7u32;
        for _ in 0..2_000 {
            let text: Vec<u8> = (0..200)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if state >> 28 == 0 { b'"' } else { b'a' }
                })
                .collect();
            let mut slow = Vec::new();
            let mut start = 0;
            for end in (0..=text.len()).filter(|at| text.get(*at) != Some(&b'a')) {
                if end - start >= 16 {
                    slow.push((start, end));
                }
                start = end + 1;
            }
            assert_eq!(runs::<TOKEN>(&text).collect::<Vec<_>>(), slow);
        }
    }
}
