//! What was replaced, word for word, beside the file it was replaced in.
//!
//! Trust sentence: whoever can change this file decides what `remove` puts back, which is no more than they could write into
//! the host's configuration itself. It holds what that file held, secrets too, so it is for its user alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{self, FileError, beside};
use crate::plan::PlanError;

/// What the record of what was replaced is called: the file's name and this ending.
pub const STATE: &str = "attest-state";

const VERSION: u32 = 1;

/// What was replaced in one file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    pub entries: Vec<Replaced>,
}

/// One server's entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replaced {
    pub project: Option<String>,
    pub name: String,
    /// Its text before.
    pub before: String,
    /// Its text after.
    pub after: String,
}

impl Default for Record {
    fn default() -> Self {
        Self { version: VERSION, entries: Vec::new() }
    }
}

impl Record {
    /// The record beside a configuration; an empty one where there is none.
    pub fn read(configuration: &Path) -> Result<Self, PlanError> {
        let path = place(configuration);
        let text = match file::read(&path) {
            Ok(original) => original.text,
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(record) if record.version == VERSION => Ok(record),
            _ => Err(PlanError::Record { path }),
        }
    }

    pub fn find(&self, project: Option<&str>, name: &str) -> Option<&Replaced> {
        self.entries.iter().find(|entry| entry.is(project, name))
    }

    /// Writes the record, or takes it away where it says nothing.
    pub fn write(&self, configuration: &Path) -> Result<(), PlanError> {
        let path = place(configuration);
        if self.entries.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    Err(FileError::Io { what: "remove", path, source }.into())
                }
                _ => Ok(()),
            };
        }
        let text = serde_json::to_vec_pretty(self).map_err(|_| PlanError::Record { path: path.clone() })?;
        Ok(file::write(&path, &text, 0o600, None, || Ok(()))?)
    }
}

impl Replaced {
    fn is(&self, project: Option<&str>, name: &str) -> bool {
        self.project.as_deref() == project && self.name == name
    }
}

fn place(configuration: &Path) -> PathBuf {
    beside(configuration, STATE)
}
