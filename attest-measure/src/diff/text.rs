//! Prompts, line by line.

use std::time::Duration;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// After this the comparison of two long texts that have little in common is no longer the shortest one.
const PATIENCE: Duration = Duration::from_secs(2);
/// Lines shown around a change.
const CONTEXT: usize = 3;

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextChange {
    /// Lines in B alone.
    pub added: usize,
    /// Lines in A alone.
    pub removed: usize,
    /// A unified diff, as the texts have it: whoever shows it on a terminal escapes it first. Empty where nothing differs.
    pub unified: String,
}

/// Compares two texts line by line; a missing line feed at the end is a difference, as it is to the digest.
pub fn text(a: &str, b: &str) -> TextChange {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(a, b);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    TextChange {
        added: count(ChangeTag::Insert),
        removed: count(ChangeTag::Delete),
        unified: diff.unified_diff().context_radius(CONTEXT).to_string(),
    }
}
