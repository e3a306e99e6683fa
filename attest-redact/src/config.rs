//! Rules as they are written down: TOML.

use serde::Deserialize;

/// The rules that hold where nothing else is said.
pub(crate) const DEFAULTS: &str = include_str!("defaults.toml");

/// Why rules cannot be used. Each says where, and what is expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// Not TOML, or a member that is not known.
    #[error("rules of redaction: {0}")]
    Toml(String),
    /// A path that is no pattern.
    #[error(
        "[[path]] at = {0:?}: write a JSON Pointer such as /arguments/note or /**/items/*/note; `**` cannot be last"
    )]
    Path(String),
    /// A kind that could not be written into a text.
    #[error("kind = {0:?}: write one to 40 of a-z, 0-9 and -")]
    Kind(String),
    /// A name rule without a letter or digit.
    #[error("[names]: {0:?} would match every name; write a word or a glob with a letter in it")]
    Name(String),
    /// A token rule that would find everywhere.
    #[error(
        "[[token]] of kind {0:?}: each prefix needs at least 2 ASCII characters without blanks, and `least` at least 4"
    )]
    Token(String),
    /// A length that keeps nothing.
    #[error("longest = {0}: write at least 64")]
    Longest(usize),
    /// More rules than are looked at in time.
    #[error("{0} rules; at most {MAX_RULES} of a sort")]
    TooMany(usize),
}

/// Most rules of one sort.
pub(crate) const MAX_RULES: usize = 4_096;

/// One file of rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Whether it adds to the defaults.
    #[serde(default = "yes")]
    pub(crate) defaults: bool,
    pub(crate) longest: Option<usize>,
    #[serde(default)]
    pub(crate) names: NameLists,
    #[serde(default)]
    pub(crate) path: Vec<PathRule>,
    #[serde(default)]
    pub(crate) token: Vec<TokenRule>,
    #[serde(default)]
    pub(crate) find: Find,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NameLists {
    pub(crate) secret: Vec<String>,
    pub(crate) alone: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) lines: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathRule {
    pub(crate) at: String,
    #[serde(default = "path_kind")]
    pub(crate) kind: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRule {
    pub(crate) kind: String,
    pub(crate) prefixes: Vec<String>,
    pub(crate) of: Alphabet,
    pub(crate) least: usize,
}

/// What a token is made of after its prefix.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// `A-Z`, `0-9`.
    #[serde(rename = "upper")]
    Upper,
    /// `0-9`, `a-f`, `A-F`.
    #[serde(rename = "hex")]
    Hex,
    /// Letters, digits, `-`, `_`.
    #[serde(rename = "base64url")]
    Base64Url,
    /// Letters, digits, `-`, `_`, `.`.
    #[serde(rename = "base64url.")]
    Dotted,
    /// Letters, digits, `-`, `_`, `+`, `/`, `=`, `.`.
    #[serde(rename = "base64")]
    Base64,
}

impl Alphabet {
    pub(crate) fn has(self, c: u8) -> bool {
        match self {
            Self::Upper => c.is_ascii_uppercase() || c.is_ascii_digit(),
            Self::Hex => c.is_ascii_hexdigit(),
            Self::Base64Url => c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'),
            Self::Dotted => c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'),
            Self::Base64 => c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'+' | b'/' | b'=' | b'.'),
        }
    }
}

/// Which kinds are looked for. What a file does not say stays as it was.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Find {
    pub(crate) cards: Option<bool>,
    pub(crate) mail: Option<bool>,
    pub(crate) tokens: Option<bool>,
    pub(crate) bearer: Option<bool>,
    pub(crate) private_keys: Option<bool>,
    pub(crate) urls: Option<bool>,
    pub(crate) assignments: Option<bool>,
    pub(crate) random: Option<bool>,
}

impl Find {
    fn over(self, base: Self) -> Self {
        Self {
            cards: self.cards.or(base.cards),
            mail: self.mail.or(base.mail),
            tokens: self.tokens.or(base.tokens),
            bearer: self.bearer.or(base.bearer),
            private_keys: self.private_keys.or(base.private_keys),
            urls: self.urls.or(base.urls),
            assignments: self.assignments.or(base.assignments),
            random: self.random.or(base.random),
        }
    }
}

fn yes() -> bool {
    true
}

fn path_kind() -> String {
    "path".to_owned()
}

impl File {
    pub(crate) fn read(text: &str) -> Result<Self, RulesError> {
        toml::from_str(text).map_err(|error| RulesError::Toml(error.to_string()))
    }

    /// This file with the defaults below it, if it wants them.
    pub(crate) fn with_defaults(self) -> Result<Self, RulesError> {
        if !self.defaults {
            return Ok(self);
        }
        let mut all = Self::read(DEFAULTS)?;
        all.longest = self.longest.or(all.longest);
        all.names.secret.extend(self.names.secret);
        all.names.alone.extend(self.names.alone);
        all.names.except.extend(self.names.except);
        all.names.lines.extend(self.names.lines);
        all.path.extend(self.path);
        all.token.extend(self.token);
        all.find = self.find.over(all.find);
        Ok(all)
    }
}
