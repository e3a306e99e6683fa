//! Which tools a delegation grants, and with which arguments: `spec/delegation.md`.

use std::collections::BTreeMap;

use crate::claims::is_name;
use crate::constraint::{Constraint, ConstraintError};
use crate::json::{Object, Value};
use crate::limits::{MAX_ARGUMENTS, MAX_CONSTRAINT_NODES, MAX_TOOLS};

/// Constraints by argument name. Empty: any arguments. Otherwise exactly these arguments must be there.
pub type Arguments = BTreeMap<String, Constraint>;

/// Granted tools by qualified name, `<server audience>#<tool>`, split at the first `#`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Tools(pub BTreeMap<String, Arguments>);

/// Why a `tools` object cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolsError {
    /// Not an object of objects.
    #[error("tools is not an object of objects")]
    Shape,
    /// A name without `#`, with an empty half, or too long.
    #[error("a tool name that is not <server audience>#<tool>")]
    Name,
    /// Too many tools or arguments.
    #[error("more than {MAX_TOOLS} tools, or more than {MAX_ARGUMENTS} constrained arguments of one tool")]
    TooMany,
    /// A constraint that cannot be read.
    #[error("{0}")]
    Constraint(#[from] ConstraintError),
}

/// The qualified name of a tool.
pub fn qualified(audience: &str, tool: &str) -> String {
    [audience, "#", tool].concat()
}

/// Audience and tool of a qualified name. An audience cannot hold a `#`; a tool can.
pub fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once('#').filter(|(audience, tool)| is_name(audience) && is_name(tool))
}

impl Tools {
    /// Reads the `tools` member of an `attenuating_agent_token` detail.
    pub fn read(value: &Value<'_>) -> Result<Self, ToolsError> {
        let object = value.as_object().ok_or(ToolsError::Shape)?;
        if object.len() > MAX_TOOLS {
            return Err(ToolsError::TooMany);
        }
        let mut budget = MAX_CONSTRAINT_NODES;
        let mut tools = BTreeMap::new();
        for (name, arguments) in object.iter() {
            split(name).ok_or(ToolsError::Name)?;
            let arguments = arguments.as_object().ok_or(ToolsError::Shape)?;
            if arguments.len() > MAX_ARGUMENTS {
                return Err(ToolsError::TooMany);
            }
            let read = arguments
                .iter()
                .map(|(argument, constraint)| Ok((argument.to_owned(), Constraint::read(constraint, &mut budget)?)))
                .collect::<Result<Arguments, ConstraintError>>()?;
            tools.insert(name.to_owned(), read);
        }
        Ok(Self(tools))
    }

    /// Whether at least one tool of this server is granted.
    pub fn any_of(&self, audience: &str) -> bool {
        self.0.keys().any(|name| split(name).is_some_and(|(of, _)| of == audience))
    }

    /// Whether everything `self` grants is certainly granted by `parent`.
    #[must_use]
    pub fn narrows(&self, parent: &Tools) -> bool {
        self.beyond(parent).is_none()
    }

    /// The first tool that `self` grants and `parent` does not certainly grant with all these arguments.
    pub fn beyond(&self, parent: &Tools) -> Option<&str> {
        let granted = |(name, mine): &(&String, &Arguments)| {
            parent.0.get(*name).is_some_and(|theirs| {
                // Open world in the parent: the child may name arguments. Closed world: the very same names, since both
                // one more and one fewer admit a call that the parent refuses.
                theirs.is_empty()
                    || (mine.len() == theirs.len()
                        && mine.iter().all(|(argument, c)| theirs.get(argument).is_some_and(|p| c.narrows(p))))
            })
        };
        self.0.iter().find(|tool| !granted(tool)).map(|(name, _)| name.as_str())
    }
}

/// Whether a call with these arguments satisfies the constraints: closed world, so an argument that is not named, and a
/// named one that is absent, are refused.
#[must_use]
pub fn permits(constraints: &Arguments, arguments: Option<&Object<'_>>) -> bool {
    constraints.is_empty()
        || arguments.is_some_and(|arguments| {
            arguments.len() == constraints.len()
                && arguments.iter().all(|(name, value)| constraints.get(name).is_some_and(|c| c.allows(value)))
        })
}
