//! Names of members as a reader sees them that compares without regard to case.

/// Whether `name`, folded as Go's `encoding/json` folds it, is `known`, which is in lower case: ASCII letters, and the two
/// beyond ASCII that fold into it, the long s (U+017F) and the Kelvin sign (U+212A).
pub fn folds_to(name: &str, known: &str) -> bool {
    known.chars().eq(name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }))
}
