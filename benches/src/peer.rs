//! signet-core 0.11 by its documented path: `sign` and `verify`, and `verify_delegation_chain`.

use dalek2::{SigningKey, VerifyingKey};
use serde_json::Value;
use signet_core::{Action, DelegationToken, Receipt, Scope};

use crate::Outcome;
use crate::calls::CALL;

/// Where Signet's proxy puts its receipt.
const MEMBER: &str = "_signet";

/// One Signet identity with its call.
pub struct Peer {
    secret: SigningKey,
    public: VerifyingKey,
    action: Action,
}

impl Peer {
    /// With a fresh key, about to make [`CALL`].
    pub fn new() -> Outcome<Self> {
        let (secret, public) = signet_core::generate_keypair();
        let message: Value = serde_json::from_str(CALL)?;
        Ok(Self { secret, public, action: action(&message)? })
    }

    /// From values in memory to a receipt in memory: no JSON is read, none written for the wire.
    pub fn sign(&self) -> Outcome<Receipt> {
        Ok(signet_core::sign(&self.secret, &self.action, "triage", "acme")?)
    }

    /// The receipt's signature and expiry.
    pub fn verify(&self, receipt: &Receipt) -> Outcome<()> {
        Ok(signet_core::verify(receipt, &self.public)?)
    }

    /// From a client's line to the line with its receipt, the counterpart of what we measure of ourselves.
    pub fn sign_line(&self, line: &[u8]) -> Outcome<Vec<u8>> {
        let mut message: Value = serde_json::from_slice(line)?;
        let receipt = signet_core::sign(&self.secret, &action(&message)?, "triage", "acme")?;
        let meta = message.pointer_mut("/params/_meta").and_then(Value::as_object_mut);
        meta.ok_or("no _meta")?.insert(MEMBER.to_owned(), serde_json::to_value(&receipt)?);
        Ok(serde_json::to_vec(&message)?)
    }

    /// From a signed line to the line without the receipt, which must verify and be over this very call.
    pub fn verify_line(&self, line: &[u8]) -> Outcome<Vec<u8>> {
        let mut message: Value = serde_json::from_slice(line)?;
        let meta = message.pointer_mut("/params/_meta").and_then(Value::as_object_mut);
        let receipt = meta.and_then(|m| m.remove(MEMBER)).ok_or("no receipt")?;
        let receipt: Receipt = serde_json::from_value(receipt)?;
        signet_core::verify(&receipt, &self.public)?;
        let arguments = message.pointer("/params/arguments");
        let tool = message.pointer("/params/name").and_then(Value::as_str);
        if arguments != Some(&receipt.action.params) || tool != Some(&receipt.action.tool) {
            return Err("the receipt is over another call".into());
        }
        Ok(serde_json::to_vec(&message)?)
    }
}

fn action(message: &Value) -> Outcome<Action> {
    let of = |pointer| message.pointer(pointer).ok_or("no such member");
    Ok(Action {
        tool: of("/params/name")?.as_str().ok_or("no name")?.to_owned(),
        params: of("/params/arguments")?.clone(),
        params_hash: String::new(),
        target: "mcp://issues".to_owned(),
        transport: "stdio".to_owned(),
        session: None,
        call_id: None,
        response_hash: None,
        trace_id: None,
        parent_receipt_id: None,
    })
}

/// A Signet delegation chain with its trusted root.
pub struct PeerChain {
    roots: Vec<VerifyingKey>,
    tokens: Vec<DelegationToken>,
}

impl PeerChain {
    /// Of `hops` tokens, all of one tool at one server.
    pub fn new(hops: u32) -> Outcome<Self> {
        let (mut by, root) = signet_core::generate_keypair();
        let (mut tokens, mut parent) = (Vec::new(), None);
        for depth in (0..hops).rev() {
            let (secret, public) = signet_core::generate_keypair();
            let scope = Scope {
                tools: vec![crate::calls::TOOL.to_owned()],
                targets: vec!["mcp://issues".to_owned()],
                max_depth: depth,
                expires: Some("2099-01-01T00:00:00Z".to_owned()),
                constraints: None,
            };
            let token = signet_core::sign_delegation(&by, "by", &public, "to", &scope, parent.as_ref())?;
            tokens.push(token);
            (by, parent) = (secret, Some(scope));
        }
        Ok(Self { roots: vec![root], tokens })
    }

    /// Every token's signature, expiry and narrowing; the tokens are in memory already.
    pub fn verify(&self) -> Outcome<Scope> {
        let verified = signet_core::verify_delegation_chain(&self.tokens, &self.roots, None, None);
        Ok(verified?)
    }
}
