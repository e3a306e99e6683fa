//! Declassification: a label's owner lets data out once, to one call. `spec/declassification.md`.

use crate::claims::{Claims, ClaimsError};
use crate::jws::{self, Statement};
use crate::labels::Labels;
use crate::limits::MAX_DECLASSIFICATION_LIFE;
use crate::once::{Claim, Once, OneTime};
use crate::sign::Sign;

/// Labels that do not count for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declassification {
    /// The call.
    pub once: Once,
    /// The labels; at least one.
    pub labels: Labels,
}

impl Declassification {
    /// Signs it into a token, with the key of the labels' owner.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        jws::sign(Self::TYP, &self.once.payload([("labels", Claim::Labels(&self.labels))]), key)
    }
}

impl Statement for Declassification {
    const TYP: &'static str = "mcp-declassification+jwt";

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let read = Self { once: Once::read(claims)?, labels: claims.labels("labels")? };
        claims.finish()?;
        if read.labels.is_empty() { Err(ClaimsError::Invalid("labels")) } else { Ok(read) }
    }
}

impl OneTime for Declassification {
    const LIFE: u64 = MAX_DECLASSIFICATION_LIFE;

    fn once(&self) -> &Once {
        &self.once
    }
}
