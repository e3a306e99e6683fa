//! Attestation: which agent, in which state, holds which call key. `spec/attestation.md`.

use serde::Serialize;

use crate::b64;
use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError};
use crate::digest::{Digest, Jti};
use crate::jwk::PublicKey;
use crate::jws::{self, Statement};
use crate::measurement::{Component, Measurement, read_measurements};
use crate::names::EAT_PROFILE;
use crate::nonce::Nonce;
use crate::platform::{Platform, Submods};
use crate::sign::Sign;
use crate::status::{Status, StatusRef};

/// Evidence in the sense of RATS (RFC 9334): a profile of EAT (RFC 9711).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Who attests; bound to the attester's key in the verifier's configuration.
    pub issuer: String,
    /// The agent.
    pub agent: String,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970; the token is good before it.
    pub expires: u64,
    /// Names this attestation once.
    pub id: Jti,
    /// The key that signs the agent's calls.
    pub key: PublicKey,
    /// In ascending order of component, each once.
    pub measurements: Vec<Measurement>,
    /// A machine's word on all of that, where there is one.
    pub platform: Option<Platform>,
    /// What a verifier gave to have this made now (`eat_nonce`).
    pub nonce: Option<Nonce>,
    /// Where it is said whether it still counts.
    pub status: Option<StatusRef>,
}

impl Attestation {
    /// The measurement of `component`, where there is one.
    pub fn measurement(&self, component: Component) -> Option<&Measurement> {
        self.measurements.iter().find(|m| m.component == component)
    }

    /// Signs it into a token.
    pub fn sign<S: Sign>(&self, attester: &S) -> Result<String, S::Error> {
        jws::sign(Self::TYP, &self.payload(self.platform.as_ref()), attester)
    }

    /// What a platform quotes: the digest of every claim but the quote itself, so that it serves no other attestation.
    pub fn quoted(&self) -> Digest {
        Digest::of(self.payload(None))
    }

    fn payload(&self, platform: Option<&Platform>) -> Vec<u8> {
        let mut measurements = self.measurements.clone();
        measurements.sort_by_key(|m| m.component);
        jcs(&Wire {
            cnf: Confirmation::of(&self.key),
            eat_nonce: self.nonce.map(Nonce::to_b64),
            eat_profile: EAT_PROFILE,
            exp: self.expires,
            iat: self.issued_at,
            iss: &self.issuer,
            jti: b64::encode(self.id.0),
            measurements: measurements.iter().map(Measurement::to_wire).collect(),
            status: self.status.as_ref().map(StatusRef::to_wire),
            sub: &self.agent,
            submods: platform.map(Platform::to_wire),
        })
    }
}

impl Statement for Attestation {
    const TYP: &'static str = "eat+jwt";

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        if claims.text("eat_profile")? != EAT_PROFILE {
            return Err(ClaimsError::Invalid("eat_profile"));
        }
        let attestation = Self {
            issuer: claims.name("iss")?,
            agent: claims.name("sub")?,
            issued_at: claims.number("iat")?,
            expires: claims.number("exp")?,
            id: claims.jti("jti")?,
            key: claims.confirmation()?,
            measurements: read_measurements(claims)?,
            platform: claims.optional("submods").map(Platform::read).transpose()?,
            nonce: Nonce::read(claims, "eat_nonce")?,
            status: claims.optional("status").map(StatusRef::read).transpose()?,
        };
        claims.finish()?;
        Ok(attestation)
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    cnf: Confirmation,
    #[serde(skip_serializing_if = "Option::is_none")]
    eat_nonce: Option<String>,
    eat_profile: &'a str,
    exp: u64,
    iat: u64,
    iss: &'a str,
    jti: String,
    measurements: Vec<(u64, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    submods: Option<Submods>,
}

/// A `cnf` claim (RFC 7800) as it is written.
#[derive(Serialize)]
pub(crate) struct Confirmation {
    jwk: Jwk,
}

#[derive(Serialize)]
struct Jwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
}

impl Confirmation {
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self { jwk: Jwk { crv: "Ed25519", kty: "OKP", x: key.x() } }
    }
}
