//! Requests in a table beside a log that several guards share, so that what people say counts at each of them.

use std::collections::BTreeSet;

use attest_core::digest::{Digest, Salt};
use attest_log::Side;

use super::requests::{Files, REQUEST, RequestsError, SECRET};

/// What the names of their folders begin with; the secret lies in it.
pub(super) const FOLDER: &str = "approvals";

/// The table, in one transaction.
pub(super) struct Table<'s>(pub Side<'s>);

fn place(request: Digest) -> String {
    format!("{FOLDER}/{}", request.to_b64())
}

impl Files for Table<'_> {
    fn requests(&self) -> Result<BTreeSet<Digest>, RequestsError> {
        let folders = self.0.folders(&format!("{FOLDER}/"))?;
        Ok(folders.iter().filter_map(|name| Digest::from_b64(name)).collect())
    }

    fn names(&self, request: Digest) -> Result<Option<BTreeSet<String>>, RequestsError> {
        Ok(Some(self.0.names(&place(request))?).filter(|names| names.contains(REQUEST)))
    }

    fn read(&self, request: Digest, name: &str, most: usize) -> Result<Option<Vec<u8>>, RequestsError> {
        Ok(self.0.read(&place(request), name, most)?)
    }

    fn write(&self, request: Digest, name: &str, bytes: &[u8]) -> Result<(), RequestsError> {
        Ok(self.0.write(&place(request), name, bytes)?)
    }

    fn remove(&self, request: Digest) -> Result<(), RequestsError> {
        Ok(self.0.remove_folder(&place(request))?)
    }

    fn secret(&self) -> Result<Option<Vec<u8>>, RequestsError> {
        Ok(self.0.read(FOLDER, SECRET, 64)?)
    }

    fn set_secret(&self, secret: &Salt) -> Result<(), RequestsError> {
        Ok(self.0.write(FOLDER, SECRET, &secret.0)?)
    }
}
