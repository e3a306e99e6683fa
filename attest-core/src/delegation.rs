//! Delegation tokens: authority that only narrows. `spec/delegation.md`.
//!
//! A profile of draft-niyikiza-oauth-attenuating-agent-tokens: its claims, its constraint types, its rule that a child is
//! signed by the key that its parent confirms. The whole chain is checked by [`crate::chain`].

use serde::Serialize;

use crate::attestation::Confirmation;
use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError, is_name};
use crate::digest::Digest;
use crate::flow::{self, Flow};
use crate::json::Value;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{self, Statement};
use crate::names::{FLOW, HOLDER, STATE};
use crate::pins::{self, Pins};
use crate::sign::Sign;
use crate::status::{Status, StatusRef};
use crate::tools::Tools;

/// The type of the one authorization detail (RFC 9396) that we read.
const DETAIL: &str = "attenuating_agent_token";

/// The claims of one token of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Delegation {
    /// A root's issuer, as configured at the verifier; a child's is the thumbprint URI of its parent's key (RFC 9278).
    pub issuer: String,
    /// Names this token once.
    pub id: String,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970; the token is good before it.
    pub expires: u64,
    /// The holder: who may call, or sign a child.
    pub key: PublicKey,
    /// 0 at the root, one more at each derivation.
    pub depth: u64,
    /// The deepest derivation that is allowed below, counted from the root.
    pub max_depth: u64,
    /// SHA-256 over the parent's signing input; absent at the root.
    pub parent: Option<Digest>,
    /// What is granted.
    pub tools: Tools,
    /// Which labels may flow where. Absent at a root it is [`Flow::public`]; absent at a child it takes nothing away.
    pub flow: Option<Flow>,
    /// Which state holders must show.
    pub pins: Option<Pins>,
    /// The attestation of whoever signs a child: there where a token above pins his state.
    pub by: Option<String>,
    /// Where it is said whether it still counts.
    pub status: Option<StatusRef>,
}

/// What a token grants besides claims of its own.
struct Granted {
    tools: Tools,
    flow: Option<Flow>,
    pins: Option<Pins>,
    by: Option<String>,
}

impl Delegation {
    /// Signs it into a token.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        let payload = jcs(&Wire {
            authorization_details: [Detail {
                flow: self.flow.as_ref().map(Flow::to_wire),
                by: self.by.as_deref(),
                pins: self.pins.as_ref().map(Pins::to_wire),
                tools: &self.tools,
                kind: DETAIL,
            }],
            cnf: Confirmation::of(&self.key),
            del_depth: self.depth,
            del_max_depth: self.max_depth,
            exp: self.expires,
            iat: self.issued_at,
            iss: &self.issuer,
            jti: &self.id,
            par_hash: self.parent.map(Digest::to_b64),
            status: self.status.as_ref().map(StatusRef::to_wire),
        });
        jws::sign(Self::TYP, &payload, key)
    }
}

/// The issuer of every token that `key` derives.
pub fn thumbprint_uri(key: &Thumbprint) -> String {
    ["urn:ietf:params:oauth:jwk-thumbprint:sha-256:", key.as_str()].concat()
}

/// Registered claims that restrict a token (RFC 7519, sections 4.1.3 and 4.1.5).
const RESTRICTIONS: [&str; 2] = ["aud", "nbf"];

impl Statement for Delegation {
    const TYP: &'static str = "aat+jwt";

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let id = claims.text("jti")?;
        // The draft, table 1: a UUID is written in lower case, so that one token has one name.
        let uuid_like = id.len() == 36 && id.bytes().all(|c| c == b'-' || c.is_ascii_hexdigit());
        if !is_name(id) || (uuid_like && id.bytes().any(|c| c.is_ascii_uppercase())) {
            return Err(ClaimsError::Invalid("jti"));
        }
        let parent = match claims.optional("par_hash") {
            None => None,
            Some(value) => Some(value.as_str().and_then(Digest::from_b64).ok_or(ClaimsError::Invalid("par_hash"))?),
        };
        // Claims that the draft or later profiles add are ignored, as the draft asks (section 3.4); what grants authority
        // stands in the authorization details, and there nothing is ignored. But a claim known to take authority away, and
        // which is not applied here, is refused: who wrote it relies on it.
        if let Some(claim) = RESTRICTIONS.into_iter().find(|claim| claims.optional(claim).is_some()) {
            return Err(ClaimsError::Invalid(claim));
        }
        let Granted { tools, flow, pins, by } = read_details(claims.array("authorization_details")?)?;
        Ok(Self {
            issuer: claims.name("iss")?,
            id: id.to_owned(),
            issued_at: claims.number("iat")?,
            expires: claims.number("exp")?,
            key: claims.confirmation()?,
            depth: claims.number("del_depth")?,
            max_depth: claims.number("del_max_depth")?,
            parent,
            tools,
            flow,
            pins,
            by,
            status: claims.optional("status").map(StatusRef::read).transpose()?,
        })
    }
}

/// Exactly one detail, of the one type that we know: a detail that we do not understand might be a restriction.
fn read_details(details: &[Value<'_>]) -> Result<Granted, ClaimsError> {
    let invalid = ClaimsError::Invalid("authorization_details");
    let [detail] = details else { return Err(invalid) };
    let mut members = Claims::of(detail).map_err(|_| invalid)?;
    if members.text("type")? != DETAIL {
        return Err(invalid);
    }
    let by = match members.optional(HOLDER) {
        None => None,
        Some(token) => Some(token.as_str().ok_or(ClaimsError::Invalid(HOLDER))?.to_owned()),
    };
    let granted = Granted {
        tools: Tools::read(members.required("tools")?).map_err(|_| invalid)?,
        flow: flow::optional(members.optional(FLOW))?,
        pins: pins::optional(members.optional(STATE))?,
        by,
    };
    members.finish()?;
    Ok(granted)
}

#[derive(Serialize)]
struct Wire<'a> {
    authorization_details: [Detail<'a>; 1],
    cnf: Confirmation,
    del_depth: u64,
    del_max_depth: u64,
    exp: u64,
    iat: u64,
    iss: &'a str,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    par_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "io.github.agent-attest/flow", skip_serializing_if = "Option::is_none")]
    flow: Option<flow::Wire<'a>>,
    #[serde(rename = "io.github.agent-attest/holder", skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(rename = "io.github.agent-attest/state", skip_serializing_if = "Option::is_none")]
    pins: Option<pins::Wire>,
    tools: &'a Tools,
    #[serde(rename = "type")]
    kind: &'static str,
}
