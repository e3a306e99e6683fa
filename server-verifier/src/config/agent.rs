//! `[agents.NAME]` in `guard.toml`: what is accepted of each component, and whether a machine has to vouch for it.

use std::collections::BTreeMap;
use std::fmt;

use attest_core::measurement::Component;
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};

use super::reference::{ComponentName, ReferenceEntry};

/// An agent's references, and the members that are none.
pub(super) struct AgentTable {
    pub(super) hardware: bool,
    /// Whether its signer is accepted as keeping what its contexts have seen.
    pub(super) lineage: bool,
    pub(super) components: BTreeMap<Component, ReferenceEntry>,
}

impl<'de> Deserialize<'de> for AgentTable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = AgentTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of components, with hardware = true where it is required and lineage = true where it is kept")
            }

            // TOML itself refuses a name twice.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgentTable, A::Error> {
                let mut table = AgentTable { hardware: false, lineage: false, components: BTreeMap::new() };
                while let Some(name) = map.next_key::<String>()? {
                    if name == "hardware" {
                        table.hardware = map.next_value()?;
                    } else if name == "lineage" {
                        table.lineage = map.next_value()?;
                    } else {
                        let ComponentName(component) = ComponentName::try_from(name)
                            .map_err(|what| de::Error::custom(format_args!("{what}, hardware and lineage")))?;
                        table.components.insert(component, map.next_value()?);
                    }
                }
                Ok(table)
            }
        }
        deserializer.deserialize_map(Table)
    }
}
