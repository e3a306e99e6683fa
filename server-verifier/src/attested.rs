//! What a server learns of an accepted call.

use std::fmt;
use std::sync::Arc;

use attest_core::attestation::Attestation;
use attest_core::chain::Chain;
use attest_core::digest::Digest;
use attest_core::json;
use attest_core::jwk::Thumbprint;
use attest_core::measurement::{Component, Measurement};
use attest_core::verifier::{Accepted, Evidence};
use attest_core::watched::Watched;
use mcp_relay::{Id, InFlight};
use serde::Serialize;

use crate::guard::Open;

/// The verdict on a call that was let in: in the extensions of its HTTP request, for the server behind the layer; from
/// [`Calls`] over stdio.
///
/// Made by the gate alone, after every check and the entry in the log, so its presence says that the call may run.
#[derive(Clone, Debug)]
pub struct Attested {
    /// The agent, by the name that its attestation gives it.
    pub agent: String,
    /// The key that signed the call.
    pub key: Thumbprint,
    /// The method: `tools/call`, or another that this server's operator has attested.
    pub method: String,
    /// The tool, for a `tools/call`.
    pub tool: Option<String>,
    /// Hash of the call proof: names the call in both logs.
    pub call: Digest,
    evidence: Arc<Evidence>,
}

impl Attested {
    pub(crate) fn new(accepted: &Accepted) -> Self {
        let caller = &accepted.caller;
        Self {
            agent: caller.agent.clone(),
            key: caller.key.clone(),
            method: caller.method.clone(),
            tool: caller.tool.clone(),
            call: caller.call,
            evidence: accepted.evidence.clone(),
        }
    }

    /// On whose behalf the agent calls: the issuer of the chain's root, as `[[root]]` of the configuration names it.
    pub fn on_behalf_of(&self) -> &str {
        // A chain is never empty; the leaf's issuer is the root's where there is only one token.
        let chain = self.evidence.chain();
        &chain.tokens().first().unwrap_or(chain.leaf()).issuer
    }

    /// The keys through which the delegation came: whom the root's issuer gave it to first, the caller's own key last.
    pub fn holders(&self) -> impl Iterator<Item = &Thumbprint> {
        self.evidence.chain().tokens().iter().map(|token| token.key.thumbprint())
    }

    /// The chain itself: what each of its tokens grants, and until when.
    pub fn chain(&self) -> &Chain {
        self.evidence.chain()
    }

    /// Who vouches for the agent's state: the attester, as `[[attester]]` of the configuration names it.
    pub fn vouched_for_by(&self) -> &str {
        &self.evidence.attestation().issuer
    }

    /// One measured component, with how it was had; `None` where the agent shows none of this name.
    pub fn measurement(&self, component: Component) -> Option<&Measurement> {
        self.evidence.attestation().measurement(component)
    }

    /// All measured components, in the order of their names.
    pub fn measurements(&self) -> &[Measurement] {
        &self.evidence.attestation().measurements
    }

    /// The attestation itself: until when it is good, its key.
    pub fn attestation(&self) -> &Attestation {
        self.evidence.attestation()
    }
}

/// The calls that are with a server behind a [`Filter`](crate::Filter): over stdio no request carries its verdict, so the
/// server asks by the request's id.
#[derive(Clone)]
pub struct Calls(InFlight<Watched<Open>>);

impl Calls {
    pub(crate) fn new(in_flight: InFlight<Watched<Open>>) -> Self {
        Self(in_flight)
    }

    /// The verdict on the call with this JSON-RPC id, a number or a string as in the request. `None` once it has been
    /// answered, and for whatever passed without a proof.
    pub fn attested(&self, id: &impl Serialize) -> Option<Attested> {
        let text = serde_json::to_vec(id).ok()?;
        let id = Id::of(&json::parse(&text).ok()?)?;
        self.0.look(&id, |watched| watched.call().map(|open| open.attested.clone()))?
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

/// Why a handler that asks for [`Attested`] is not run: what came holds no accepted call. It is another method, or nothing
/// verifies in front of the handler.
#[cfg(feature = "axum")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no attested call")]
pub struct NotAttested;

#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for NotAttested {
    fn into_response(self) -> axum_core::response::Response {
        (http::StatusCode::FORBIDDEN, self.to_string()).into_response()
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::FromRequestParts<S> for Attested {
    type Rejection = NotAttested;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, NotAttested> {
        parts.extensions.get().cloned().ok_or(NotAttested)
    }
}

/// `Option<Attested>`: for a handler that gets the methods too that need no proof.
#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::OptionalFromRequestParts<S> for Attested {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get().cloned())
    }
}
