//! The names that our objects bear on the wire. The prefix stands here and nowhere else.

/// Prefix of our `_meta` keys and claims: reverse DNS, second label neither `mcp` nor `modelcontextprotocol`, as MCP asks.
pub const PREFIX: &str = "io.github.agent-attest/";

macro_rules! ours {
    ($name:literal) => {
        concat!("io.github.agent-attest/", $name)
    };
}

/// `_meta` key of the proof that travels with a call.
pub const PROOF: &str = ours!("proof");
/// Identifier of our extension of MCP, in the capabilities of client and server: the carrier's key.
pub const EXTENSION: &str = PROOF;
/// MCP's `_meta` key of a client's capabilities (2026-07-28).
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// MCP's `_meta` key of the protocol version that a request speaks (2026-07-28).
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key of a refusal in the form of a tool result.
pub const REFUSAL: &str = ours!("refusal");
/// `_meta` key of a result that a rule of the trail finds doubtful.
pub const UNTRUSTED: &str = ours!("untrusted");
/// `_meta` key, and member of an error's `data`: the receipts that come with an answer.
pub const RECEIPT: &str = ours!("receipt");
/// Claim of a call proof: the call.
pub const CALL: &str = ours!("call");
/// Claim of a call proof: where the call comes from.
pub const PROVENANCE: &str = ours!("prov");
/// Member of an authorization detail: the measured components that holders must show.
pub const STATE: &str = ours!("state");
/// Member of an authorization detail: which labels may flow where, and who may act of his own accord.
pub const FLOW: &str = ours!("flow");
/// Member of an authorization detail: the attestation of whoever signs the token, where his state is pinned.
pub const HOLDER: &str = ours!("holder");
/// `constraint_type` of a path below a folder.
pub const PATH_PREFIX: &str = ours!("path_prefix");
/// `_meta` key of what a verifier tells the server behind it of a call that it let through.
pub const CAUSE: &str = ours!("cause");
/// The `eat_profile` of our attestations.
pub const EAT_PROFILE: &str = "tag:agent-attest.github.io,2026:mcp-attestation:1";
/// The JSON-RPC code of refusals: outside −32768…−32000, which JSON-RPC and MCP keep for themselves.
pub const REFUSAL_CODE: i32 = -31401;
/// MCP's code for HTTP headers that say something else than the message (2026-07-28).
pub const HEADER_MISMATCH_CODE: i32 = -32020;
/// MCP's code for a client that did not declare what the server requires (2026-07-28).
pub const MISSING_CAPABILITY_CODE: i32 = -32021;
