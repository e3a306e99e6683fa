//! Signed calls made by hand, with the keys of a world: what no signer of ours would make.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong here is the end of a test, and must say where"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use attest_core::attestation::Attestation;
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::labels::Labels;
use attest_core::names::PROOF;
use attest_core::request::attested;
use attest_core::signing::{Credentials, Form, Lineage, Particulars, sign_call};
use attest_keys::SecretKey;
use serde_json::Value;

use crate::world::{AUDIENCE, World, must};

/// What a forger has got hold of.
pub struct Forge {
    /// The call key.
    pub agent: SecretKey,
    /// The attester's key.
    pub attester: SecretKey,
    /// The key of the delegation's root.
    pub root: SecretKey,
    /// What the attestation says; signed anew for each call.
    pub attestation: Attestation,
    /// The chain, root first.
    pub chain: Vec<String>,
    /// Whom calls are made out to.
    pub audience: String,
    /// Where its calls belong.
    pub context: Jti,
    /// What the clock of the caller shows, in seconds ahead of ours.
    pub ahead: i64,
    /// For how long a call is good, in seconds.
    pub life: u64,
    /// What its context is said to have seen.
    pub labels: Labels,
    /// What a verifier gave to be signed.
    pub nonce: Option<String>,
}

/// A call as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The line.
    pub line: String,
    /// Hash of the call proof, as logs have it.
    pub call: String,
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Different at every call, which is all that a test needs.
fn fresh() -> [u8; 16] {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let digest = Digest::of(format!("{time} {} {}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    *digest.0.first_chunk().expect("32 bytes")
}

impl Forge {
    /// With the keys, the measured state and the delegation of a world.
    pub fn of(world: &World) -> Self {
        let key = |name: &str| SecretKey::read(&world.path(&format!("keys/{name}.key"))).unwrap();
        let issued = must(world.attest(&["issue"])).stdout;
        let issued = String::from_utf8(issued).unwrap();
        let attestation = Unverified::<Attestation>::read(issued.trim()).unwrap().peek().clone();
        Self {
            agent: key("agent"),
            attester: key("attester"),
            root: key("root"),
            attestation,
            chain: world.read("delegation.chain").split_whitespace().map(str::to_owned).collect(),
            audience: AUDIENCE.to_owned(),
            context: Jti([5; 16]),
            ahead: 0,
            life: 60,
            labels: Labels::None,
            nonce: None,
        }
    }

    /// Signs the request, of whatever method.
    pub fn sign(&self, request: &str) -> Forged {
        let message = json::parse(request.as_bytes()).unwrap();
        let call = attested(&message).unwrap_or_else(|e| panic!("nothing that can be signed ({e}): {request}"));
        let now = now().saturating_add_signed(self.ahead);
        let attestation = Attestation { issued_at: now, expires: now + 300, ..self.attestation.clone() };
        let attestation = attestation.sign(&self.attester).unwrap();
        let credentials = Credentials::new(&attestation, &self.chain).unwrap();
        let particulars = Particulars {
            audience: &self.audience,
            context: self.context,
            id: Jti(fresh()),
            salt: Salt(fresh()),
            now,
            life: self.life,
            lineage: Lineage { labels: Some(&self.labels), ..Lineage::default() },
            nonce: self.nonce.as_deref(),
        };
        let signed = sign_call(&call, &credentials, particulars, &self.agent).unwrap();
        Forged {
            line: String::from_utf8(signed.request(Form::Full)).unwrap(),
            call: Digest::of(&signed.token).to_b64(),
        }
    }

    /// Signs a call of `tool` under `id`.
    pub fn call(&self, id: impl Into<Value>, tool: &str, arguments: Value) -> Forged {
        let params = serde_json::json!({"name": tool, "arguments": arguments});
        let request = serde_json::json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params});
        self.sign(&request.to_string())
    }
}

/// The line with something done to its proof: the object of `att`, `del`, `prf` and `salt`.
pub fn with_proof(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut message: Value = serde_json::from_str(line).unwrap();
    change(&mut message["params"]["_meta"][PROOF]);
    message.to_string()
}
