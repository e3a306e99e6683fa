//! What travels in `params._meta` under [`crate::names::PROOF`]: `spec/carrier.md`.

use crate::b64;
use crate::digest::Salt;
use crate::json::Value;
use crate::limits::{MAX_CHAIN, MAX_PROOF};

/// The tokens of one call, as somebody sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier<'a> {
    /// The attestation.
    pub attestation: &'a str,
    /// Exactly one chain of delegation, root first.
    pub delegation: Vec<&'a str>,
    /// The call proof.
    pub proof: &'a str,
    /// What the commitments of the call proof are salted with.
    pub salt: Salt,
}

/// Why the member is not a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierError {
    /// Not an object of exactly `att`, `del` (at least one token), `prf` and `salt`, each of its type.
    #[error("not an object of exactly att, del, prf and salt, each of its type")]
    Shape,
    /// More than [`MAX_CHAIN`] tokens of delegation, or more than [`MAX_PROOF`] bytes in all.
    #[error("more than {MAX_CHAIN} delegation tokens or {MAX_PROOF} bytes in all")]
    TooLarge,
}

impl<'a> Carrier<'a> {
    /// Reads the member.
    pub fn read(value: &'a Value<'_>) -> Result<Self, CarrierError> {
        let object = value.as_object().filter(|o| o.len() == 4).ok_or(CarrierError::Shape)?;
        let text = |name| object.get(name).and_then(Value::as_str).ok_or(CarrierError::Shape);
        let delegation = object.get("del").and_then(Value::as_array).ok_or(CarrierError::Shape)?;
        if delegation.is_empty() {
            return Err(CarrierError::Shape);
        }
        if delegation.len() > MAX_CHAIN {
            return Err(CarrierError::TooLarge);
        }
        let delegation =
            delegation.iter().map(|t| t.as_str().ok_or(CarrierError::Shape)).collect::<Result<Vec<_>, _>>()?;
        let carrier = Self {
            attestation: text("att")?,
            delegation,
            proof: text("prf")?,
            salt: b64::decode_exact(text("salt")?).map(Salt).ok_or(CarrierError::Shape)?,
        };
        let size = carrier.attestation.len() + carrier.proof.len();
        if size + carrier.delegation.iter().map(|t| t.len()).sum::<usize>() > MAX_PROOF {
            return Err(CarrierError::TooLarge);
        }
        Ok(carrier)
    }

    /// Appends the canonical form. Tokens and salt are base64url and dots, so nothing needs an escape.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&[r#"{"att":""#, self.attestation, r#"","del":["#]);
        for (i, token) in self.delegation.iter().enumerate() {
            put(&[if i == 0 { "\"" } else { ",\"" }, token, "\""]);
        }
        put(&[r#"],"prf":""#, self.proof, r#"","salt":""#, &b64::encode(self.salt.0), r#""}"#]);
    }
}
