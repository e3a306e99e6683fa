//! Which tools have run, for a test that must see that one did not.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

/// Appends one JSON line for each tool run: `{"arguments": {…}, "tool": "…"}`. Without a file it notes nothing.
#[derive(Debug, Default)]
pub struct Runs(Option<Mutex<File>>);

impl Runs {
    /// Appends to `path`, which is made when there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened for appending.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Some(Mutex::new(file))))
    }

    /// Notes that `tool` begins to run. The caller must not run it when this fails: a missing line is read as "did not run".
    ///
    /// # Errors
    ///
    /// When the line cannot be written whole.
    pub fn note(&self, tool: &str, arguments: Option<&rmcp::model::JsonObject>) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let line = format!("{}\n", json!({"tool": tool, "arguments": arguments}));
        file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes())
    }
}
