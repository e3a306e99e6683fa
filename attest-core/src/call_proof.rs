//! Call proofs: one signature over one very call. `spec/call-proof.md`.
//!
//! The claims of WIMSE's workload proof token (`aud`, `iat`, `exp`, `jti`, `wth`, `oth`) and two of ours: the call, and
//! where it comes from.

use crate::b64;
use crate::claims::{Claims, ClaimsError, is_name};
use crate::digest::{Digest, Jti};
use crate::json::write_string;
use crate::jws::{self, Statement};
use crate::labels::Labels;
use crate::limits::{MAX_META_NAMES, MAX_SHOWN};
use crate::names::{CALL, PROVENANCE};
use crate::nonce::Nonce;
use crate::sign::Sign;

/// The proof over one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallProof {
    /// The server the call is made out to.
    pub audience: String,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970; the proof is good before it.
    pub expires: u64,
    /// Names the call once: with the call key, the key of the replay check.
    pub id: Jti,
    /// `wth`: hash of the attestation's token.
    pub attestation: Digest,
    /// `oth.del`: hash of the leaf delegation token.
    pub delegation: Digest,
    /// The JSON-RPC method.
    pub method: String,
    /// The tool's name as it stands in the request; there exactly when the method is `tools/call`.
    pub tool: Option<String>,
    /// Salted hash of the canonical form of `params` without `_meta`.
    pub params: Digest,
    /// The members of `_meta` that the signer stands for, and their salted hash.
    pub meta: MetaBinding,
    /// The caller's context: calls of one context share what they have seen.
    pub context: Jti,
    /// Labels that the context has, besides those of the receipts: a claim, which can only add.
    pub labels: Labels,
    /// Hashes of the receipts that come with the call, in their order.
    pub parents: Vec<Digest>,
    /// Hash of the decision on whose behalf the call is made; `None` where the agent acts of its own accord.
    pub cause: Option<Digest>,
    /// What the verifier gave to have this signed now.
    pub nonce: Option<Nonce>,
}

/// Names of the bound `_meta` members, in canonical order, and the salted hash of the object of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaBinding {
    /// In canonical order, each once.
    pub names: Vec<String>,
    /// Salted hash of the canonical form of the object of these members.
    pub digest: Digest,
}

/// The method that is always signed, and the one that names a tool.
pub const TOOLS_CALL: &str = "tools/call";
/// The agent acts of its own accord.
const ORIGIN_SELF: &str = "self";

impl CallProof {
    /// The method, where it is another than `tools/call`: how a log names it.
    pub fn other_method(&self) -> Option<&str> {
        Some(self.method.as_str()).filter(|method| *method != TOOLS_CALL)
    }

    /// Signs it into a token.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        jws::sign(Self::TYP, &self.payload(), key)
    }

    /// The canonical payload. Written member by member, in canonical order, and not through `serde_jcs`: this runs on every
    /// call. What is not escaped is base64url, a number, or a name of ours.
    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(768);
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        let quoted = |text: &str| {
            let mut quoted = Vec::with_capacity(text.len() + 2);
            write_string(text, &mut quoted);
            String::from_utf8_lossy(&quoted).into_owned()
        };
        let (issued_at, expires) = (self.issued_at.to_string(), self.expires.to_string());
        put(&["{\"aud\":", &quoted(&self.audience), ",\"exp\":", &expires, ",\"iat\":", &issued_at, ",\"", CALL]);
        put(&["\":{\"meta\":{\"digest\":\"", &self.meta.digest.to_b64(), "\",\"names\":["]);
        for (n, name) in self.meta.names.iter().enumerate() {
            put(&[if n > 0 { "," } else { "" }, &quoted(name)]);
        }
        put(&["]},\"method\":", &quoted(&self.method), ",\"params\":\"", &self.params.to_b64(), "\""]);
        if let Some(tool) = &self.tool {
            put(&[",\"tool\":", &quoted(tool)]);
        }
        put(&["},\"", PROVENANCE, "\":{"]);
        if let Some(cause) = &self.cause {
            put(&["\"cause\":\"", &cause.to_b64(), "\","]);
        }
        put(&["\"ctx\":\"", &b64::encode(self.context.0), "\",\"labels\":"]);
        self.labels.write(&mut out);
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        if self.cause.is_none() {
            put(&[",\"origin\":\"", ORIGIN_SELF, "\""]);
        }
        put(&[",\"parents\":["]);
        for (n, parent) in self.parents.iter().enumerate() {
            put(&[if n > 0 { ",\"" } else { "\"" }, &parent.to_b64(), "\""]);
        }
        put(&["]},\"jti\":\"", &b64::encode(self.id.0)]);
        if let Some(nonce) = self.nonce {
            put(&["\",\"nonce\":\"", &nonce.to_b64()]);
        }
        put(&[
            "\",\"oth\":{\"del\":\"",
            &self.delegation.to_b64(),
            "\"},\"wth\":\"",
            &self.attestation.to_b64(),
            "\"}",
        ]);
        out
    }
}

impl Statement for CallProof {
    const TYP: &'static str = "mcp-call+jwt";

    fn is_written_as(&self, payload: &[u8]) -> bool {
        self.payload() == payload
    }

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let (method, tool, params, meta) = claims.object(CALL, |call| {
            let method = call.name("method")?;
            let tool = if method == TOOLS_CALL { Some(call.name("tool")?) } else { None };
            let meta = call.object("meta", |meta| {
                let names: Option<Vec<_>> =
                    meta.array("names")?.iter().map(|name| name.as_str().map(str::to_owned)).collect();
                Ok(MetaBinding { names: names.ok_or(ClaimsError::Invalid(CALL))?, digest: meta.digest("digest")? })
            })?;
            Ok((method, tool, call.digest("params")?, meta))
        })?;
        let all_names = meta.names.iter().all(|name| is_name(name));
        if meta.names.len() > MAX_META_NAMES || !all_names {
            return Err(ClaimsError::Invalid(CALL));
        }
        let (context, labels, parents, cause) = claims.object(PROVENANCE, |provenance| {
            let invalid = ClaimsError::Invalid(PROVENANCE);
            // Either a cause or an origin, and never both: it would say two things.
            let cause = match provenance.optional("cause") {
                Some(cause) => Some(cause.as_str().and_then(Digest::from_b64).ok_or(invalid)?),
                None if provenance.text("origin")? == ORIGIN_SELF => None,
                None => return Err(invalid),
            };
            let parents = provenance.array("parents")?;
            if parents.len() > MAX_SHOWN {
                return Err(invalid);
            }
            let parents = parents.iter().map(|parent| parent.as_str().and_then(Digest::from_b64));
            let parents = parents.collect::<Option<Vec<_>>>().ok_or(invalid)?;
            Ok((provenance.jti("ctx")?, provenance.labels("labels")?, parents, cause))
        })?;
        let proof = Self {
            audience: claims.name("aud")?,
            issued_at: claims.number("iat")?,
            expires: claims.number("exp")?,
            id: claims.jti("jti")?,
            attestation: claims.digest("wth")?,
            delegation: claims.object("oth", |oth| oth.digest("del"))?,
            method,
            tool,
            params,
            meta,
            context,
            labels,
            parents,
            cause,
            nonce: Nonce::read(claims, "nonce")?,
        };
        claims.finish()?;
        Ok(proof)
    }
}
