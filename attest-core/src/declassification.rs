//! Declassification: a label's owner lets data out once, to one call. `spec/declassification.md`.

use serde::Serialize;

use crate::b64;
use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError};
use crate::digest::{Digest, Jti};
use crate::jwk::Thumbprint;
use crate::jws::{self, Statement};
use crate::labels::Labels;
use crate::sign::Sign;

/// Labels that do not count for one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declassification {
    /// The server that may be called.
    pub audience: String,
    /// Seconds since 1970; it is good before it.
    pub expires: u64,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Names it once: it serves one call.
    pub id: Jti,
    /// Who may call: thumbprint of the call key.
    pub key: Thumbprint,
    /// The labels; at least one.
    pub labels: Labels,
    /// Salted digest, with a salt of its own, of the canonical parameters without `_meta`.
    pub params: Digest,
    /// The tool that may be called.
    pub tool: String,
}

impl Declassification {
    /// Signs it into a token, with the key of the labels' owner.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        let payload = jcs(&Wire {
            aud: &self.audience,
            exp: self.expires,
            iat: self.issued_at,
            jti: b64::encode(self.id.0),
            key: self.key.as_str(),
            labels: &self.labels,
            params: self.params.to_b64(),
            tool: &self.tool,
        });
        jws::sign(Self::TYP, &payload, key)
    }
}

impl Statement for Declassification {
    const TYP: &'static str = "mcp-declassification+jwt";

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let read = Self {
            audience: claims.name("aud")?,
            expires: claims.number("exp")?,
            issued_at: claims.number("iat")?,
            id: claims.jti("jti")?,
            key: Thumbprint::parse(claims.text("key")?).ok_or(ClaimsError::Invalid("key"))?,
            labels: claims.labels("labels")?,
            params: claims.digest("params")?,
            tool: claims.name("tool")?,
        };
        claims.finish()?;
        if read.labels.is_empty() { Err(ClaimsError::Invalid("labels")) } else { Ok(read) }
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: String,
    key: &'a str,
    labels: &'a Labels,
    params: String,
    tool: &'a str,
}
