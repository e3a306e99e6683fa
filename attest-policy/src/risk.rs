//! What could come of a call: from the tool's class, its arguments and the context's labels, by rules that are data.
//!
//! Rules only raise. What a server says of its own tools can raise as well, and lowers nothing.

mod assess;
mod rules;

pub use assess::{Assessed, Call};
pub use attest_core::seen::{Can, Hints};
pub use rules::{ArgumentRule, Capabilities, Class, Hinted, LabelRule, RiskError, RiskRules};

/// The default rules, as a file that can be copied and changed.
pub const DEFAULT: &str = include_str!("default-risk.toml");

/// What could come of a call, from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing that matters.
    Low,
    /// What can be put right.
    Medium,
    /// What is hard to put right.
    High,
    /// What a person should have looked at first.
    Critical,
}

impl Risk {
    /// All of them, in ascending order.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|risk| risk.as_str() == word)
    }
}
