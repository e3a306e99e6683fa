//! What is said of one log where several are named.

use std::path::Path;

use attest_log::{Place, ReadError, Reader};
use serde::Serialize;

/// A log's name.
pub(super) fn name(reader: &Reader) -> Result<String, ReadError> {
    Ok(reader.log_keys()?.origin().to_owned())
}

/// For machines: what is said of a log, behind which one it is; where only one was named, nobody has to be told.
#[derive(Default, Serialize)]
pub(super) struct Of<T> {
    /// Its name, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<String>,
    /// Its file, or its database's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    #[serde(flatten)]
    pub(super) said: T,
}

impl Of<()> {
    pub(super) fn with<S>(self, said: S) -> Of<S> {
        Of { log: self.log, file: self.file, said }
    }
}

/// A log's file, or its database's address, as it may be shown.
pub(super) fn shown(log: &Path) -> String {
    Place::new(log).to_string()
}
