//! What a server learns of an accepted call.

use std::sync::Arc;

use attest_core::attestation::Attestation;
use attest_core::chain::Chain;
use attest_core::digest::Digest;
use attest_core::jwk::Thumbprint;
use attest_core::measurement::Measurement;
use attest_core::verifier::{Accepted, Evidence};

/// The verdict on a call that was let in: in the extensions of its HTTP request, for the server behind the layer.
///
/// Made by the gate alone, after every check and the entry in the log, so its presence says that the call may run.
#[derive(Clone, Debug)]
pub struct Attested {
    /// The agent.
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

    /// The attestation: who signed it, and until when it is good.
    pub fn attestation(&self) -> &Attestation {
        self.evidence.attestation()
    }

    /// The measured components of the agent, each with how it was had.
    pub fn measurements(&self) -> &[Measurement] {
        &self.evidence.attestation().measurements
    }

    /// On whose behalf: the chain of delegation, from the pinned root to the agent.
    pub fn chain(&self) -> &Chain {
        self.evidence.chain()
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::FromRequestParts<S> for Attested {
    /// The request holds no accepted call: it is another method, or nothing verifies in front of this handler.
    type Rejection = (http::StatusCode, &'static str);

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or((http::StatusCode::FORBIDDEN, "no attested call"))
    }
}
