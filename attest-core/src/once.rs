//! What tokens say that serve one call: who may make it, which tool of which server, with which parameters.
//! [`Approval`](crate::approval::Approval) and [`Declassification`](crate::declassification::Declassification) say more, each its own.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::b64;
use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError};
use crate::digest::{Digest, Jti};
use crate::jwk::Thumbprint;
use crate::jws::Statement;
use crate::labels::Labels;
use crate::verifier::{CallId, Single};

/// The one call that a token serves, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The server that may be called.
    pub audience: String,
    /// Seconds since 1970; it is good before it.
    pub expires: u64,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Names it once, together with the key that signs.
    pub id: Jti,
    /// Who may call: thumbprint of the call key.
    pub key: Thumbprint,
    /// Salted digest, with a salt of its own, of the canonical parameters without `_meta`.
    pub params: Digest,
    /// The tool that may be called.
    pub tool: String,
}

/// A token that serves one call.
pub trait OneTime: Statement {
    /// The longest it may live, in seconds.
    const LIFE: u64;

    /// The call.
    fn once(&self) -> &Once;
}

/// A claim that a token has besides.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Claim<'a> {
    Text(&'a str),
    Own(String),
    Number(u64),
    Labels(&'a Labels),
}

impl Once {
    pub(crate) fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        Ok(Self {
            audience: claims.name("aud")?,
            expires: claims.number("exp")?,
            issued_at: claims.number("iat")?,
            id: claims.jti("jti")?,
            key: Thumbprint::parse(claims.text("key")?).ok_or(ClaimsError::Invalid("key"))?,
            params: claims.digest("params")?,
            tool: claims.name("tool")?,
        })
    }

    /// The canonical payload of a token that says `more` besides.
    pub(crate) fn payload<'a>(&'a self, more: impl IntoIterator<Item = (&'static str, Claim<'a>)>) -> Vec<u8> {
        let own = [
            ("aud", Claim::Text(&self.audience)),
            ("exp", Claim::Number(self.expires)),
            ("iat", Claim::Number(self.issued_at)),
            ("jti", Claim::Own(b64::encode(self.id.0))),
            ("key", Claim::Text(self.key.as_str())),
            ("params", Claim::Own(self.params.to_b64())),
            ("tool", Claim::Text(&self.tool)),
        ];
        jcs(&own.into_iter().chain(more).collect::<BTreeMap<_, _>>())
    }

    /// What a call uses up with the token `text` of this hash, which `signer` signed; kept for `skew` seconds after its end.
    pub(crate) fn single(&self, signer: Thumbprint, (token, text): (Digest, &str), skew: u64) -> Single {
        let id = CallId { key: signer, id: self.id, until: self.expires.saturating_add(skew) };
        Single { id, token, text: text.into() }
    }
}
