//! Rules, ready to be applied.

use std::sync::LazyLock;

use crate::config::{File, RulesError};
use crate::find::Finder;
use crate::path::Paths;

/// What is redacted. Made once, used for every call, from any number of threads.
#[derive(Debug)]
pub struct Rules {
    pub(crate) finder: Finder,
    pub(crate) paths: Paths,
    pub(crate) longest: usize,
}

/// Shortest `longest`: below it the placeholders would be longer than what is kept.
const MIN_LONGEST: usize = 64;

static DEFAULTS: LazyLock<Result<Rules, RulesError>> = LazyLock::new(|| Rules::from_toml(""));

impl Rules {
    /// Reads rules in TOML. They add to the defaults, unless they say `defaults = false`:
    ///
    /// ```toml
    /// longest = 4096                       # longest string that is kept whole, in bytes
    /// [names]
    /// secret = ["badge_number", "x-*-key"] # words in any spelling, or globs
    /// except = ["monkey"]
    /// [[path]]
    /// at = "/**/patient/*"                 # a JSON Pointer; * is one level, ** any number
    /// kind = "patient"
    /// [[token]]
    /// kind = "acme-key"
    /// prefixes = ["acme_"]
    /// of = "base64url"                     # or upper, hex, base64url., base64
    /// least = 20
    /// [find]
    /// mail = false                         # or cards, tokens, bearer, private_keys, urls, assignments, random
    /// ```
    ///
    /// Whoever can change the rules can have secrets kept from then on, in the clear; not what was logged before.
    pub fn from_toml(text: &str) -> Result<Self, RulesError> {
        let file = File::read(text)?.with_defaults()?;
        let kinds = file.path.iter().map(|rule| &rule.kind).chain(file.token.iter().map(|rule| &rule.kind));
        for kind in kinds {
            let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
            if !(1..=40).contains(&kind.len()) || !kind.bytes().all(allowed) {
                return Err(RulesError::Kind(kind.clone()));
            }
        }
        let longest = file.longest.unwrap_or(usize::MAX);
        if longest < MIN_LONGEST {
            return Err(RulesError::Longest(longest));
        }
        Ok(Self { finder: Finder::new(&file)?, paths: Paths::new(&file.path)?, longest })
    }

    /// The rules that hold where nothing else is said.
    ///
    /// # Panics
    /// Never: the defaults are a part of this crate, and a test reads them.
    #[allow(clippy::panic, reason = "the embedded file is read by this crate's tests")]
    pub fn defaults() -> &'static Self {
        match &*DEFAULTS {
            Ok(rules) => rules,
            Err(error) => panic!("embedded rules: {error}"),
        }
    }
}
