//! The rules as data. An attacker who can change the file can have his calls taken for harmless ones.

use std::collections::BTreeMap;

use attest_core::claims::is_name;
use serde::{Deserialize, Deserializer};
use wildmatch::WildMatch;

use super::Risk;
use crate::arguments::Pointer;

/// What is wrong with a file of rules.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RiskError {
    /// It is no TOML, or has a member that there is not, or a value that is not of its form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A rule about an argument asks for nothing, or for two things.
    #[error("the rule about the argument {0:?} needs one of `like`, `above`, `below` and `present = true`")]
    Condition(String),
    /// A class has a name that is none.
    #[error("{0:?} is no name for a class: 1 to 256 bytes without control characters")]
    Class(String),
}

/// All rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RiskRules {
    /// Of a tool without class, of which nothing is known.
    pub unknown: Risk,
    /// Of requests that call no tool.
    pub method: Risk,
    /// Of a tool without class, by what it can do.
    pub can: Capabilities,
    /// What a server says of its tool.
    pub hints: Hinted,
    /// Kinds of tools.
    #[serde(default)]
    pub classes: BTreeMap<String, Class>,
    /// What arguments raise.
    #[serde(default)]
    pub arguments: Vec<ArgumentRule>,
    /// What labels raise.
    #[serde(default)]
    pub labels: Vec<LabelRule>,
}

/// What a tool can do, and what that is worth.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// Change or destroy, run commands, pay.
    pub danger: Risk,
    /// Bring in what strangers wrote.
    pub inward: Risk,
    /// Carry data out.
    pub out: Risk,
}

/// Annotations of MCP that raise. Their opposites lower nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hinted {
    /// `destructiveHint: true`.
    pub destructive: Risk,
    /// `openWorldHint: true`.
    pub open_world: Risk,
    /// `readOnlyHint: false`.
    pub writes: Risk,
}

/// A kind of tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What a call of one is at least.
    pub risk: Risk,
    /// Which: names with `*` and `?`; with a `#` they are of one server, `files#read_*`.
    pub tools: Vec<Glob>,
}

/// An argument that raises.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentRule {
    /// Where it stands: a JSON pointer (RFC 6901).
    pub at: Pointer,
    /// Of which tools; of all, where nothing is said.
    pub tools: Option<Vec<Glob>>,
    /// A text, or one of a list, that is like this; `*` and `?` stand for anything.
    pub like: Option<Glob>,
    /// A number above this.
    pub above: Option<f64>,
    /// A number below this.
    pub below: Option<f64>,
    /// Any value.
    #[serde(default)]
    pub present: bool,
    /// To what it raises.
    pub risk: Risk,
}

/// A label that raises.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// Which: `*` and `?` stand for anything.
    pub label: Glob,
    /// For calls of tools of these classes; of all, where nothing is said.
    pub classes: Option<Vec<String>>,
    /// To what it raises.
    pub risk: Risk,
}

/// A name with `*` and `?`.
#[derive(Clone, Debug)]
pub struct Glob {
    pattern: WildMatch,
    in_full: bool,
}

impl Glob {
    /// Whether it is the whole of `text`.
    pub fn is_like(&self, text: &str) -> bool {
        self.pattern.matches(text)
    }

    /// Whether a tool has this name; with a `#` in the pattern, its name in full.
    pub fn is_tool(&self, server: &str, tool: &str) -> bool {
        if self.in_full { self.pattern.matches(&format!("{server}#{tool}")) } else { self.pattern.matches(tool) }
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self { pattern: WildMatch::new(&text), in_full: text.contains('#') })
    }
}

impl RiskRules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// [`RiskError`]: with line and column.
    pub fn parse(text: &str) -> Result<Self, RiskError> {
        let rules: Self = toml::from_str(text)?;
        for ArgumentRule { at, like, above, below, present, .. } in &rules.arguments {
            let asked = [like.is_some(), above.is_some(), below.is_some(), *present];
            if asked.iter().filter(|asked| **asked).count() != 1 {
                return Err(RiskError::Condition(at.as_str().to_owned()));
            }
        }
        match rules.classes.keys().find(|class| !is_name(class)) {
            Some(class) => Err(RiskError::Class(class.clone())),
            None => Ok(rules),
        }
    }
}
