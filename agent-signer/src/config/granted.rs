//! A file that says what is granted: TOML with the tables `tools`, `flow` and `state`, or the same as JSON.

use std::path::{Path, PathBuf};

use attest_core::json::{self, JsonError};
use attest_core::passing::{Granted, GrantedError};
use attest_core::tools::Tools;

/// Why a file says no grant.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}", path = path.display())]
pub struct GrantFileError {
    path: PathBuf,
    what: What,
}

#[derive(Debug, thiserror::Error)]
enum What {
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    #[error("{0}")]
    Toml(toml::de::Error),
    #[error("{0}")]
    Json(JsonError),
    #[error("{0}")]
    Granted(GrantedError),
    #[error("it is no table that can be written as JSON")]
    Form,
}

/// Reads such a file. TOML goes the way of a token's own JSON, so that it can say exactly what a token can; but for `null`, which only JSON has.
///
/// # Errors
/// [`GrantFileError`].
pub fn read(path: &Path) -> Result<Granted, GrantFileError> {
    let read = || {
        let bytes = std::fs::read(path).map_err(What::Read)?;
        if path.extension().is_some_and(|extension| extension == "toml") {
            return of(&from_toml(&bytes)?);
        }
        let value = json::parse(&bytes).map_err(What::Json)?;
        // The tools alone: each name has a #.
        if value.as_object().is_some_and(|tools| !tools.is_empty() && tools.iter().all(|(name, _)| name.contains('#')))
        {
            let tools = Tools::read(&value).map_err(|error| What::Granted(error.into()))?;
            return Ok(Granted { tools: Some(tools), ..Granted::default() });
        }
        of(&bytes)
    };
    read().map_err(|what| GrantFileError { path: path.to_owned(), what })
}

fn of(bytes: &[u8]) -> Result<Granted, What> {
    Granted::read(&json::parse(bytes).map_err(What::Json)?).map_err(What::Granted)
}

fn from_toml(bytes: &[u8]) -> Result<Vec<u8>, What> {
    let mut table: toml::Table = toml::from_slice(bytes).map_err(What::Toml)?;
    let release = table.get_mut("flow").and_then(|flow| flow.get_mut("release")).and_then(toml::Value::as_table_mut);
    if let Some(release) = release {
        // A set has one order on the wire, and any in a file.
        for labels in release.iter_mut().filter_map(|(_, labels)| labels.as_array_mut()) {
            labels.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
    serde_json::to_vec(&table).map_err(|_| What::Form)
}
