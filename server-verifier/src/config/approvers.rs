//! `[[approver]]` in `guard.toml`: the persons who may approve.

use attest_core::approval::Approver;
use attest_core::jwk::KeyError;
use serde::Deserialize;

use super::Jwk;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApproverTable {
    pub(super) name: String,
    groups: Vec<String>,
    #[serde(default)]
    operates: Vec<String>,
    jwks: Vec<Jwk>,
}

impl ApproverTable {
    pub(super) fn read(self) -> Result<Approver, KeyError> {
        Ok(Approver {
            keys: self.jwks.iter().map(Jwk::key).collect::<Result<_, _>>()?,
            name: self.name,
            groups: self.groups.into_iter().collect(),
            operates: self.operates.into_iter().collect(),
        })
    }
}
