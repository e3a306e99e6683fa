//! `[agents.NAME]` in `guard.toml`: what is accepted of each component, and whether a machine has to vouch for it.

use std::collections::BTreeMap;
use std::fmt;

use attest_core::measurement::Component;
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};

use super::reference::{ComponentName, ReferenceEntry};

/// An agent's references, and the one member that is none.
pub(super) struct AgentTable {
    pub(super) hardware: bool,
    pub(super) components: BTreeMap<Component, ReferenceEntry>,
}

impl<'de> Deserialize<'de> for AgentTable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = AgentTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of components, and hardware = true where it is required")
            }

            // TOML itself refuses a name twice.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgentTable, A::Error> {
                let mut table = AgentTable { hardware: false, components: BTreeMap::new() };
                while let Some(name) = map.next_key::<String>()? {
                    if name == "hardware" {
                        table.hardware = map.next_value()?;
                    } else {
                        let ComponentName(component) = ComponentName::try_from(name)
                            .map_err(|what| de::Error::custom(format_args!("{what}, and hardware")))?;
                        table.components.insert(component, map.next_value()?);
                    }
                }
                Ok(table)
            }
        }
        deserializer.deserialize_map(Table)
    }
}
