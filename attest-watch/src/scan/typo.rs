//! Words that are meant for others: one letter too many, missing, wrong, or changed with its neighbour.
//!
//! A model reads over a typo, so a list of words alone is got around with one.

/// Shorter words have too many honest neighbours.
const SHORTEST: usize = 6;

/// Whether `word` is `wanted` (in lower case), or that with one typo past its first letter.
pub(super) fn is(word: &str, wanted: &str) -> bool {
    word.eq_ignore_ascii_case(wanted) || is_misspelt(word, wanted)
}

/// Whether `word` is `wanted` with one typo past its first letter. Forms of it (`ignored`, `rule`) are other words.
pub(super) fn is_misspelt(word: &str, wanted: &str) -> bool {
    if wanted.len() < SHORTEST || word.len().abs_diff(wanted.len()) > 1 {
        return false;
    }
    let word = word.to_ascii_lowercase();
    let longer =
        |longer: &str, shorter: &str| ["s", "d", "r"].iter().any(|end| longer.strip_suffix(end) == Some(shorter));
    let is_form = || longer(&word, wanted) || longer(wanted, &word);
    word.chars().next() == wanted.chars().next() && strsim::osa_distance(&word, wanted) == 1 && !is_form()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_typo_is_read_over_and_forms_are_other_words() {
        for word in ["iunstructions", "instuctions", "instrcutions", "INSTRUCTI0NS"] {
            assert!(is_misspelt(word, "instructions"), "{word}");
        }
        for (word, wanted) in
            [("ignored", "ignore"), ("ignores", "ignore"), ("message", "messages"), ("destructions", "instructions")]
        {
            assert!(!is(word, wanted), "{word}");
        }
    }
}
