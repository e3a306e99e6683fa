//! Why a call is refused: one reason per check, a closed set. `spec/refusals.md`.

use core::fmt;

use crate::carrier::CarrierError;
use crate::chain::ChainError;
use crate::digest::Digest;
use crate::json::{JsonError, JsonErrorKind};
use crate::jwk::Thumbprint;
use crate::jws::TokenError;
use crate::labels::Labels;
use crate::limits::MAX_NAME;
use crate::measurement::Component;
use crate::nonce::Nonce;
use crate::request::RequestError;

/// The checks, in the order in which they are made. The first that fails is the one that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Sizes.
    Size,
    /// The strict read of message, carrier and tokens.
    Read,
    /// Times of all tokens.
    Times,
    /// Signature of the attestation, by a pinned attester for this agent.
    Attestation,
    /// Signature of the call proof, by the attested key.
    CallProof,
    /// What the call proof is bound to.
    Bindings,
    /// Whether the call was seen before.
    Replay,
    /// Reference values.
    State,
    /// The chain of delegation.
    Chain,
    /// Whether attestation and chain were taken back.
    Status,
    /// Tool and arguments against the leaf.
    Constraints,
    /// Whether what the caller has seen may flow to this tool.
    Flow,
    /// The operator's policies.
    Policy,
    /// The entry in the log.
    Append,
    /// The server behind.
    Forward,
    /// On the caller's side: the signer. A call that fails here never left.
    Sign,
    /// On the caller's side: the receipt that must come with an answer. A call that fails here may have run.
    Receipt,
    /// On either side: what is written down of each message, and the rules that see it.
    Trail,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident = $code:literal, $check:ident;)+) => {
        /// Why a call is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $reason,)+
        }

        impl Reason {
            /// Every reason, in the order of the checks.
            pub const ALL: &'static [Reason] = &[$(Reason::$reason,)+];

            /// The code of this reason, as the log has it.
            pub fn code(self) -> &'static str {
                match self { $(Reason::$reason => $code,)+ }
            }

            /// The check that failed.
            pub fn check(self) -> Check {
                match self { $(Reason::$reason => Check::$check,)+ }
            }

            /// One sentence for a person: what happened and what to do about it. (A doc comment begins with a blank.)
            pub fn advice(self) -> &'static str {
                match self { $(Reason::$reason => concat!($($doc),+).trim_start(),)+ }
            }
        }
    };
}

reasons! {
    /// The message or one of its tokens is larger than this verifier reads.
    TooLarge = "too-large", Size;
    /// The message is not one strict JSON object; servers disagree about what such bytes mean.
    NotStrictJson = "not-strict-json", Read;
    /// The message has the same member twice; servers disagree about which of the two counts.
    DuplicateMember = "duplicate-member", Read;
    /// A number is outside the range that every reader of JSON holds exactly.
    NumberRange = "number-range", Read;
    /// The HTTP request is not well-formed, or not one that the transport of MCP has.
    BadHttp = "bad-http", Read;
    /// The HTTP headers say something else than the message; servers disagree about which of the two counts.
    HeaderMismatch = "header-mismatch", Read;
    /// The message is no well-formed call: an unknown or wrongly cased member, or one of the wrong type.
    BadRequest = "bad-request", Read;
    /// The call has no id that an answer could be led back by, so nobody could be told its outcome.
    NoId = "no-id", Read;
    /// The operator of this server does not let this method through.
    MethodDenied = "method-denied", Read;
    /// The call carries no proof; put `attest wrap` in front of the client.
    NoProof = "no-proof", Read;
    /// The member that carries the proof is not of the form that this version knows.
    BadCarrier = "bad-carrier", Read;
    /// The verifier does not remember the tokens that the shorthand stands for; send the same call again with the tokens in full.
    NotCached = "not-cached", Read;
    /// A token is not strict unpadded base64url in three parts.
    TokenEncoding = "token-encoding", Read;
    /// The header of a token is not exactly alg Ed25519, kid and the expected typ.
    TokenHeader = "token-header", Read;
    /// The payload of a token is not canonical JSON.
    TokenNotCanonical = "token-not-canonical", Read;
    /// A claim of a token is missing, unknown or not what it should be.
    TokenClaims = "token-claims", Read;
    /// A token has expired; if the clocks are right, the signer must renew it.
    Expired = "expired", Times;
    /// A token is dated in the future; compare the clocks of caller and server.
    NotYetValid = "not-yet-valid", Times;
    /// A token's life is empty, or longer than its kind may have.
    LifeTooLong = "life-too-long", Times;
    /// The attestation is by a key that this verifier does not pin, or for an issuer or agent that the key may not speak for.
    UnknownAttester = "unknown-attester", Attestation;
    /// The signature of the attestation does not verify.
    AttestationSignature = "attestation-signature", Attestation;
    /// The attested call key has another role in this verifier's configuration.
    KeyRole = "key-role", Attestation;
    /// The call proof is not signed by the attested key.
    CallSignature = "call-signature", CallProof;
    /// The call is made out to another server.
    WrongAudience = "wrong-audience", Bindings;
    /// The call proof belongs to another attestation.
    WrongAttestation = "wrong-attestation", Bindings;
    /// The call proof belongs to another delegation.
    WrongDelegation = "wrong-delegation", Bindings;
    /// The method is not the one that was signed.
    MethodMismatch = "method-mismatch", Bindings;
    /// The tool is not the one that was signed.
    ToolMismatch = "tool-mismatch", Bindings;
    /// The parameters are not the ones that were signed.
    ParamsMismatch = "params-mismatch", Bindings;
    /// The metadata is not what was signed.
    MetaMismatch = "meta-mismatch", Bindings;
    /// The receipts or the cause that came with the call are not those that the call proof names.
    ProvenanceMismatch = "provenance-mismatch", Bindings;
    /// This very call was made before; sign a new one.
    Replay = "replay", Replay;
    /// The verifier has no reference value for a component of this agent; its operator must add one or write `any`.
    NoReference = "no-reference", State;
    /// The agent does not show a component that the verifier requires.
    ComponentMissing = "component-missing", State;
    /// A component of the agent is measured more weakly than the verifier requires.
    GradeTooLow = "grade-too-low", State;
    /// A component of the agent is not in a state that the verifier accepts.
    StateMismatch = "state-mismatch", State;
    /// The verifier lets this agent in only with a quote of its machine's TPM, and the attestation has none.
    PlatformMissing = "platform-missing", State;
    /// The quote is by a key that this verifier does not pin for this agent.
    UnknownPlatform = "unknown-platform", State;
    /// The signature of the quote does not verify.
    PlatformSignature = "platform-signature", State;
    /// The quote was made over other claims than those of the attestation that it stands in.
    PlatformBinding = "platform-binding", State;
    /// The machine was not started in a state that the verifier accepts.
    PlatformState = "platform-state", State;
    /// The chain does not start at a delegation root that this verifier pins.
    UnknownRoot = "unknown-root", Chain;
    /// A token of the chain is not signed by the key that its parent confirms.
    ChainSignature = "chain-signature", Chain;
    /// A token of the chain does not point to its parent.
    ChainLinkage = "chain-linkage", Chain;
    /// The chain is deeper than one of its tokens allows.
    ChainDepth = "chain-depth", Chain;
    /// A token of the chain outlives its parent.
    ChainLifetime = "chain-lifetime", Chain;
    /// A token of the chain grants what its parent does not.
    Widened = "widened", Chain;
    /// The root grants a tool, or releases a label, that its key may not speak for.
    RootScope = "root-scope", Chain;
    /// A token of the chain is held by a key that has another role in this verifier's configuration.
    HolderRole = "holder-role", Chain;
    /// The delegation is held by another key than the one that makes the call.
    HolderMismatch = "holder-mismatch", Chain;
    /// A token of the chain was derived under a pin of its signer's state, and brings no attestation of his that holds; he must derive it anew.
    HolderAttestation = "holder-attestation", Chain;
    /// Somebody who holds the chain is not in the state that it pins.
    StatePinned = "state-pinned", Chain;
    /// The attestation of somebody above in the chain is older than the chain allows; he must derive the token anew.
    HolderStale = "holder-stale", Chain;
    /// The attestation, or a token of the chain, was taken back by whoever keeps its status.
    Revoked = "revoked", Status;
    /// No fresh status list says whether the attestation, or a token of the chain, still counts.
    StatusUnknown = "status-unknown", Status;
    /// The delegation does not grant this tool of this server.
    ToolNotGranted = "tool-not-granted", Constraints;
    /// The delegation grants the tool, but not with these arguments.
    ArgumentsNotGranted = "arguments-not-granted", Constraints;
    /// The delegation grants no tool of this server, and so no other method of it.
    MethodNotGranted = "method-not-granted", Constraints;
    /// The call names as its cause a decision of no log that this verifier pins.
    UnknownCause = "unknown-cause", Flow;
    /// The call is made on behalf of somebody who did not delegate it: its chain does not pass through the key of its cause.
    CauseNotInChain = "cause-not-in-chain", Flow;
    /// The delegation lets its holder call on somebody's behalf only, and the call names no cause.
    OriginNotGranted = "origin-not-granted", Flow;
    /// A declassification is not by an owner of its labels, or is made out to another call.
    BadDeclassification = "bad-declassification", Flow;
    /// A declassification was used before; it serves one call.
    DeclassificationUsed = "declassification-used", Flow;
    /// The agent has seen data that may not flow to this tool: the delegation does not release its labels, or the tool does not take them.
    FlowNotGranted = "flow-not-granted", Flow;
    /// The tool asks for the lineage of what reaches it, and the agent's signer is not one that this verifier accepts as keeping it.
    LineageRequired = "lineage-required", Flow;
    /// A policy of this server's operator forbids the call, or none permits it.
    PolicyDenied = "policy-denied", Policy;
    /// The policies of this server's operator cannot decide the call, so it does not pass; its operator must see to it.
    PolicyError = "policy-error", Policy;
    /// The policies of this server's operator ask for more before the call may run: a proof made now, a state measured now, or a person.
    StepUpRequired = "step-up-required", Policy;
    /// The verifier cannot write its log, so it lets nothing through; try again later, and if that stays so, its operator must see to it.
    LogUnavailable = "log-unavailable", Append;
    /// Too few witnesses have seen this server's log of late, so it lets nothing through; try again later.
    NotWitnessed = "not-witnessed", Append;
    /// The call ran, but its outcome could not be written to the log; do not repeat it blindly.
    OutcomeNotLogged = "outcome-not-logged", Forward;
    /// The server went away before it answered; whether the call ran is not known.
    ServerGone = "server-gone", Forward;
    /// The agent's state cannot be measured, so nothing can be attested; see the signer's message.
    NotMeasured = "not-measured", Sign;
    /// The signer cannot sign: its key, or the agent that holds it, does not answer, the call cannot be bound, or the grant that goes with it cannot be made.
    NotSigned = "not-signed", Sign;
    /// The signer cannot write the caller's log, so it lets nothing out.
    CallerLogUnavailable = "caller-log-unavailable", Sign;
    /// There is no signer: it could not be reached or started; `attest signer status` tells more.
    SignerGone = "signer-gone", Sign;
    /// The answer came without a receipt of the server's log, so it is withheld; the call may have run, so do not repeat it blindly.
    NoReceipt = "no-receipt", Receipt;
    /// The receipt does not fit the answer, the call or the server's log, so the answer is withheld; the call may have run, so do not repeat it blindly.
    BadReceipt = "bad-receipt", Receipt;
    /// The trail of what passes cannot be written, so nothing is asked of the server; whoever runs the trail must see to it.
    TrailUnavailable = "trail-unavailable", Trail;
    /// A rule of whoever watches this server stopped the message; the alert in the log says which, and why.
    Alert = "alert", Trail;
}

/// Where in a message a reason applies. Never holds arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum About {
    /// A component of the agent.
    Component(Component),
    /// A token of the carrier.
    Token(Token),
    /// A place in the JSON text.
    Json(JsonError),
    /// Labels that may not flow.
    Labels(Labels),
    /// The policies that forbid it, by their ids.
    Policies(Vec<String>),
    /// What is asked for.
    StepUp(Box<StepUp>),
    /// A client that did not declare the extension, in an era in which each request does.
    Undeclared,
}

/// As an entry has it.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(component) => component.fmt(f),
            Self::Token(Token::Attestation) => f.write_str("attestation"),
            Self::Token(Token::Delegation(n)) => write!(f, "delegation {n}"),
            Self::Token(Token::CallProof) => f.write_str("call proof"),
            Self::Token(Token::Receipt(n)) => write!(f, "receipt {n}"),
            Self::Token(Token::Cause) => f.write_str("cause"),
            Self::Token(Token::Facts) => f.write_str("facts"),
            Self::Token(Token::Declassification(n)) => write!(f, "declassification {n}"),
            Self::Token(Token::Approval(n)) => write!(f, "approval {n}"),
            Self::Policies(ids) => f.write_str(&named(ids.iter().map(String::as_str))),
            Self::StepUp(asked) => f.write_str(&named(asked.by.iter().map(String::as_str))),
            Self::Labels(labels) => f.write_str(&named(labels.iter())),
            Self::Json(error) => error.fmt(f),
            Self::Undeclared => f.write_str("extension"),
        }
    }
}

/// As many of these as a name has room for, with a blank between two.
fn named<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.fold(String::new(), |mut named, one| {
        if named.len() + 1 + one.len() <= MAX_NAME {
            named.push_str(if named.is_empty() { "" } else { " " });
            named.push_str(one);
        }
        named
    })
}

/// What a caller is asked for before its call may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUp {
    /// To be signed now: in the call proof, and in an attestation that is made for it.
    pub nonce: Nonce,
    /// `nonce`, `reattest` and `approval`, as far as they are asked for.
    pub required: Vec<&'static str>,
    /// The policies that ask, by their ids.
    pub by: Vec<String>,
}

impl StepUp {
    /// Every word that can stand in `required`.
    pub const WORDS: [&'static str; 3] = ["approval", "nonce", "reattest"];
}

/// A token of the carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The attestation.
    Attestation,
    /// The n-th token of the chain, the root being 0.
    Delegation(usize),
    /// The call proof.
    CallProof,
    /// The n-th receipt.
    Receipt(usize),
    /// The decision that is the call's cause.
    Cause,
    /// The n-th declassification.
    Declassification(usize),
    /// The n-th approval. It comes by another way than the carrier.
    Approval(usize),
    /// What policies were asked about. No token, but kept like one.
    Facts,
}

/// Who made the call: known once attestation and call proof verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The agent.
    pub agent: String,
    /// Its call key.
    pub key: Thumbprint,
    /// Hash of the call proof.
    pub call: Digest,
    /// The method that the call proof names.
    pub method: String,
    /// The tool that it names; there exactly when the method is `tools/call`.
    pub tool: Option<String>,
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first check that failed.
    pub reason: Reason,
    /// Where.
    pub about: Option<About>,
    /// By whom, if that was established before.
    pub caller: Option<Box<Caller>>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, about: None, caller: None }
    }
}

impl Reason {
    /// The reason as a caller sees it: until a caller is authenticated, only which of three kinds it is. Details go to the
    /// log: a stranger learns nothing about keys and agents from trying.
    pub fn on_the_wire(self) -> &'static str {
        match self.check() {
            Check::Size | Check::Read => match self {
                Reason::NoProof => "unauthenticated",
                // The caller must know what to do next, and what it learns is nothing about keys, agents or grants.
                Reason::NotCached | Reason::MethodDenied => self.code(),
                _ => "malformed",
            },
            Check::Times => "stale",
            Check::Attestation | Check::CallProof => "unauthenticated",
            _ => self.code(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Refusal {
    /// A refusal that says where.
    pub fn about(reason: Reason, about: About) -> Self {
        Self { about: Some(about), ..reason.into() }
    }

    /// Of a token that could not be read.
    pub fn of_token(error: TokenError, token: Token) -> Self {
        let reason = match error {
            TokenError::TooLong => Reason::TooLarge,
            TokenError::Encoding => Reason::TokenEncoding,
            TokenError::Header => Reason::TokenHeader,
            TokenError::Json(_) | TokenError::NotCanonical => Reason::TokenNotCanonical,
            TokenError::Claims(_) => Reason::TokenClaims,
        };
        Self::about(reason, About::Token(token))
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        let reason = match error.kind {
            JsonErrorKind::DuplicateMember => Reason::DuplicateMember,
            JsonErrorKind::NumberRange => Reason::NumberRange,
            JsonErrorKind::TooDeep => Reason::TooLarge,
            _ => Reason::NotStrictJson,
        };
        Self::about(reason, About::Json(error))
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotAnObject => Reason::NotStrictJson,
            RequestError::WrongCase | RequestError::Shape => Reason::BadRequest,
            RequestError::NoId => Reason::NoId,
        }
        .into()
    }
}

impl From<CarrierError> for Refusal {
    fn from(error: CarrierError) -> Self {
        match error {
            CarrierError::Shape => Reason::BadCarrier,
            CarrierError::TooLarge => Reason::TooLarge,
        }
        .into()
    }
}

impl From<ChainError> for Refusal {
    fn from(error: ChainError) -> Self {
        match error {
            // A carrier of such a length is refused before its chain is looked at.
            ChainError::Length => Reason::BadCarrier,
            ChainError::UnknownRoot => Reason::UnknownRoot,
            ChainError::Signature => Reason::ChainSignature,
            ChainError::Linkage => Reason::ChainLinkage,
            ChainError::Depth => Reason::ChainDepth,
            ChainError::Lifetime => Reason::ChainLifetime,
            ChainError::Widened => Reason::Widened,
            ChainError::RootScope => Reason::RootScope,
            ChainError::HolderRole => Reason::HolderRole,
            ChainError::Holder => Reason::HolderAttestation,
            ChainError::Pinned => Reason::StatePinned,
        }
        .into()
    }
}
