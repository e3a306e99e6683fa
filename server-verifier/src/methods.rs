//! What becomes of each method: `[methods]` in `guard.toml`, `spec/extension.md`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What becomes of a request or notification of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Goes to the server as it came, and not into the log.
    Pass,
    /// Needs a proof and an entry, as a `tools/call` does.
    Attested,
    /// Goes nowhere.
    Deny,
}

/// The method that is attested whatever the configuration says.
const ALWAYS: &str = "tools/call";
/// Stands for every method that is not named.
const ANY: &str = "*";
/// What changes a call that already runs. (`notifications/cancelled` names a request by its id, which is one connection's
/// own and bound by no proof; who holds the connection may as well close it.)
const BY_DEFAULT: [&str; 2] = ["tasks/cancel", "tasks/update"];
/// Without these no conversation begins, so `"*"` does not speak of them.
const OPENING: [&str; 4] = ["initialize", "notifications/initialized", "ping", "server/discover"];

/// Why a table of settings is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodsError {
    /// `tools/call` is named.
    #[error("tools/call is always attested; leave it out of [methods]")]
    Call,
    /// All methods are to be attested, and nobody could tell callers which those are.
    #[error("\"*\" is \"pass\" or \"deny\"; name the methods that need a proof")]
    AnyAttested,
}

/// The settings of all methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods {
    named: BTreeMap<String, Setting>,
    others: Setting,
}

impl Methods {
    /// Checks a table of settings.
    pub fn new(mut named: BTreeMap<String, Setting>) -> Result<Self, MethodsError> {
        if named.contains_key(ALWAYS) {
            return Err(MethodsError::Call);
        }
        let others = named.remove(ANY).unwrap_or(Setting::Pass);
        if others == Setting::Attested {
            return Err(MethodsError::AnyAttested);
        }
        for method in BY_DEFAULT {
            named.entry(method.to_owned()).or_insert(Setting::Attested);
        }
        if others == Setting::Deny {
            for method in OPENING {
                named.entry(method.to_owned()).or_insert(Setting::Pass);
            }
        }
        Ok(Self { named, others })
    }

    /// What becomes of `method`.
    pub fn of(&self, method: &str) -> Setting {
        match method {
            ALWAYS => Setting::Attested,
            method => self.named.get(method).copied().unwrap_or(self.others),
        }
    }

    /// The methods besides `tools/call` that need a proof, sorted.
    pub fn attested(&self) -> impl Iterator<Item = &str> {
        self.named.iter().filter(|(_, setting)| **setting == Setting::Attested).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods(table: &str) -> Result<Methods, MethodsError> {
        Methods::new(toml::from_str(table).unwrap())
    }

    #[test]
    fn what_steers_a_running_call_needs_a_proof_unless_the_operator_says_otherwise() {
        let default = methods("").unwrap();
        assert_eq!(default.attested().collect::<Vec<_>>(), ["tasks/cancel", "tasks/update"]);
        assert_eq!(default.of("resources/read"), Setting::Pass);
        let methods = methods("\"tasks/cancel\" = \"pass\"\n\"resources/read\" = \"attested\"").unwrap();
        assert_eq!(methods.attested().collect::<Vec<_>>(), ["resources/read", "tasks/update"]);
    }

    #[test]
    fn a_call_cannot_be_let_through_unattested() {
        assert_eq!(methods("").unwrap().of("tools/call"), Setting::Attested);
        assert_eq!(methods("\"tools/call\" = \"pass\""), Err(MethodsError::Call));
        assert_eq!(methods("\"*\" = \"attested\""), Err(MethodsError::AnyAttested));
    }

    #[test]
    fn denying_all_others_leaves_a_way_to_begin() {
        let methods = methods("\"*\" = \"deny\"\n\"ping\" = \"deny\"").unwrap();
        assert_eq!(methods.of("initialize"), Setting::Pass);
        assert_eq!(methods.of("ping"), Setting::Deny);
        assert_eq!(methods.of("prompts/get"), Setting::Deny);
        assert_eq!(methods.of("tasks/update"), Setting::Attested);
    }
}
