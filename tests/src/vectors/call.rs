//! The default call, in which nothing is wrong. A vector changes it in one place; whatever depends on that place (hashes,
//! signatures) is made anew around it.

use attest_core::b64 as strict;
use attest_core::digest::{Digest, Salt};
use attest_core::names::{CALL, EAT_PROFILE, PROOF, PROVENANCE};
use serde_json::{Value, json};

use super::token::{Seed, Token, b64, canonical, hash, jwk, swap, text, thumbprint};

/// Seconds since 1970 at which vectors are checked where they do not say otherwise.
pub const NOW: u64 = 1_800_000_000;
/// The pinned attester.
pub const ATTESTER: Seed = 1;
/// The pinned delegation root for all tools of the server.
pub const ROOT: Seed = 2;
/// The agent's call key.
pub const AGENT: Seed = 3;
/// A key that nobody pins.
pub const STRANGER: Seed = 5;
/// The pinned delegation root for one tool.
pub const NARROW_ROOT: Seed = 6;
/// Holder of the chain's first token; of the n-th, `HOLDER + n`; of the last, the agent.
pub const HOLDER: Seed = 100;

const SALT: [u8; 16] = [7; 16];
/// The salt of a declassification's parameters.
const OWN_SALT: [u8; 16] = [8; 16];

/// One call with its tokens in the making.
#[derive(Clone)]
pub struct Call {
    /// The attestation.
    pub attestation: Token,
    /// The chain, root first.
    pub chain: Vec<Token>,
    /// Changes the finished chain before the call proof points to its last token.
    pub relink: fn(Vec<String>) -> Vec<String>,
    /// The call proof.
    pub proof: Token,
    /// Receipts that the caller's context has seen.
    pub receipts: Vec<Token>,
    /// The decision on whose behalf the call is made.
    pub cause: Option<Token>,
    /// Declassifications.
    pub declassified: Vec<Token>,
    /// A chain for the server.
    pub grant: Vec<String>,
    /// The request that is signed, without the proof.
    pub request: Value,
}

/// A signed call.
#[derive(Clone)]
pub struct Sent {
    /// The request, without the proof.
    pub request: Value,
    /// What is put into its `_meta`.
    pub carrier: Value,
}

/// One entry of the `measurements` claim; `grade` is 0, 1 or 2.
pub fn measurement(component: &str, digest: &str, grade: u8) -> Value {
    let inner = json!({
        "digested-measurement": ["sha-256", digest],
        "flags": b64([0, 0, 0, 0, 0, 0, 0, grade]),
        "id": [component],
    });
    json!([296, String::from_utf8(canonical(&inner)).unwrap()])
}

/// The commitment to a value, with the call's salt.
pub fn commitment(value: &Value) -> String {
    Digest::salted(&Salt(SALT), &canonical(value)).to_b64()
}

/// The issuer of what a key derives.
pub fn derived_issuer(seed: Seed) -> String {
    format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", thumbprint(seed))
}

/// The grant of the default call.
pub fn read_file() -> Value {
    json!({"files#read_file": {"path": {"constraint_type": "wildcard"}}})
}

/// A chain of `n` tokens from the root to the agent, each as wide as its parent.
pub fn chain(n: u8) -> Vec<Token> {
    let link = |i: u8| {
        let (by, issuer) = match i {
            0 => (ROOT, "owner".to_owned()),
            _ => (HOLDER + i - 1, derived_issuer(HOLDER + i - 1)),
        };
        let holder = if i + 1 == n { AGENT } else { HOLDER + i };
        let mut claims = json!({
            "authorization_details": [{"tools": read_file(), "type": "attenuating_agent_token"}],
            "cnf": {"jwk": jwk(holder)},
            "del_depth": i,
            "del_max_depth": n.max(4),
            "exp": NOW + 1000,
            "iat": NOW - 100,
            "iss": issuer,
            "jti": format!("token-{i}"),
        });
        if i > 0 {
            claims["par_hash"] = Value::Null;
        }
        Token::new("aat+jwt", by, claims)
    };
    (0..n).map(link).collect()
}

fn fill(place: Option<&mut Value>, value: impl Into<Value>) {
    if let Some(place) = place
        && place.is_null()
    {
        *place = value.into();
    }
}

impl Default for Call {
    fn default() -> Self {
        let attestation = json!({
            "cnf": {"jwk": jwk(AGENT)},
            "eat_profile": EAT_PROFILE,
            "exp": NOW + 290,
            "iat": NOW - 10,
            "iss": "acme",
            "jti": b64([9; 16]),
            "measurements": [
                measurement("system-prompt", &hash("the prompt"), 1),
                measurement("tool-manifest", &hash("the tools"), 2),
            ],
            "sub": "analyst",
        });
        let proof = json!({
            "aud": "files",
            "exp": NOW + 60,
            "iat": NOW,
            CALL: {"meta": {"digest": null, "names": null}, "method": "tools/call", "params": null, "tool": null},
            PROVENANCE: {"ctx": b64([5; 16]), "labels": [], "origin": "self", "parents": null},
            "jti": b64([6; 16]),
            "oth": {"del": null},
            "wth": null,
        });
        Self {
            attestation: Token::new("eat+jwt", ATTESTER, attestation),
            chain: chain(2),
            relink: |chain| chain,
            proof: Token::new("mcp-call+jwt", AGENT, proof),
            receipts: Vec::new(),
            cause: None,
            declassified: Vec::new(),
            grant: Vec::new(),
            request: json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
                "name": "read_file",
                "arguments": {"path": "/srv/report.txt"},
                "_meta": {"progressToken": 1, "com.example/tenant": "acme"},
            }}),
        }
    }
}

impl Call {
    /// The default call with one change.
    pub fn with(edit: impl FnOnce(&mut Self)) -> Self {
        let mut call = Self::default();
        edit(&mut call);
        call
    }

    /// The `tools` of the n-th token of the chain.
    pub fn tools(&mut self, n: usize) -> &mut Value {
        &mut self.chain[n].claims["authorization_details"][0]["tools"]
    }

    /// The detail of the n-th token of the chain.
    pub fn detail(&mut self, n: usize) -> &mut Value {
        &mut self.chain[n].claims["authorization_details"][0]
    }

    /// The call proof's claim about where the call comes from.
    pub fn provenance(&mut self) -> &mut Value {
        &mut self.proof.claims[PROVENANCE]
    }

    /// The call proof's claim about the call.
    pub fn bound(&mut self) -> &mut Value {
        &mut self.proof.claims[CALL]
    }

    /// The call's parameters, before they are signed.
    pub fn params(&mut self) -> &mut Value {
        &mut self.request["params"]
    }

    /// What a verifier forwards of it: the canonical request.
    pub fn forward(&self) -> Vec<u8> {
        canonical(&self.request)
    }

    fn chain_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for link in &self.chain {
            let mut link = link.clone();
            if let Some((input, _)) = texts.last().and_then(|parent| parent.rsplit_once('.')) {
                fill(link.claims.get_mut("par_hash"), hash(input));
            }
            texts.push(link.compact());
        }
        (self.relink)(texts)
    }

    /// Signs it.
    pub fn sign(&self) -> Sent {
        let attestation = self.attestation.compact();
        let chain = self.chain_texts();
        let mut proof = self.proof.clone();
        fill(proof.claims.get_mut("wth"), hash(&attestation));
        fill(proof.claims.pointer_mut("/oth/del"), hash(chain.last().map_or("", |t| t)));
        let receipts: Vec<String> = self.receipts.iter().map(Token::compact).collect();
        let cause = self.cause.as_ref().map(Token::compact);
        fill(proof.claims.pointer_mut(&pointer(PROVENANCE, "parents")), receipts.iter().map(hash).collect::<Vec<_>>());
        fill(
            proof.claims.pointer_mut(&pointer(PROVENANCE, "cause")),
            cause.as_ref().map_or(Value::Null, |cause| json!(hash(cause))),
        );
        let mut params = self.request.get("params").cloned().unwrap_or_else(|| json!({}));
        let mut meta = json!({});
        if let Some(params) = params.as_object_mut() {
            meta = params.remove("_meta").unwrap_or(meta);
        }
        let mut unbound = Vec::new();
        if let Some(meta) = meta.as_object_mut() {
            meta.retain(|name, _| !is_unbound(name));
            unbound = meta.keys().cloned().collect();
        }
        if let Some(call) = proof.claims.get_mut(CALL) {
            fill(call.get_mut("params"), commitment(&params));
            fill(call.get_mut("tool"), params["name"].clone());
            fill(call.pointer_mut("/meta/digest"), commitment(&meta));
            fill(call.pointer_mut("/meta/names"), unbound);
        }
        let mut carrier =
            json!({"att": attestation, "del": chain, "prf": proof.compact(), "salt": strict::encode(SALT)});
        let declassified = self.declassified.iter().map(|token| {
            let mut token = token.clone();
            fill(token.claims.get_mut("params"), Digest::salted(&Salt(OWN_SALT), &canonical(&params)).to_b64());
            json!({"salt": strict::encode(OWN_SALT), "token": token.compact()})
        });
        let lists = [
            ("rcp", json!(receipts)),
            ("grt", json!(self.grant)),
            ("dcl", declassified.collect()),
            ("cause", json!(cause)),
        ];
        for (member, value) in lists {
            let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            if !nothing {
                carrier[member] = value;
            }
        }
        Sent { request: self.request.clone(), carrier }
    }

    /// Signs it and writes the message.
    pub fn bytes(&self) -> Vec<u8> {
        self.sign().bytes()
    }
}

fn pointer(member: &str, inner: &str) -> String {
    format!("/{}/{inner}", member.replace('/', "~1"))
}

/// Names of `_meta` that no call proof binds.
fn is_unbound(name: &str) -> bool {
    matches!(name, "progressToken" | "traceparent" | "tracestate" | "baggage")
        || name.starts_with("io.modelcontextprotocol/")
        || name.starts_with(attest_core::names::PREFIX)
}

impl Sent {
    /// A change after the signing.
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// The message.
    pub fn bytes(&self) -> Vec<u8> {
        let mut request = self.request.clone();
        let params = &mut request["params"];
        if params.get("_meta").is_none() {
            params["_meta"] = json!({});
        }
        params["_meta"][PROOF] = self.carrier.clone();
        text(&request).into_bytes()
    }

    /// The message with a piece of its text, which must stand there exactly once, replaced.
    pub fn swapped(&self, from: &str, to: impl AsRef<[u8]>) -> Vec<u8> {
        swap(self.bytes(), from, to)
    }
}
