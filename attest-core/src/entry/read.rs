//! The strict reading of an entry: a total function from bytes to what they say, or to what is wrong with them.

use std::borrow::Cow;

use super::{MAX_ENTRY, Status, quick};
use crate::alert::Alert;
use crate::call_proof::TOOLS_CALL;
use crate::claims::{Claims, ClaimsError};
use crate::digest::{Digest, Jti};
use crate::json::{self, JsonError, Object, Value};
use crate::limits::MAX_CHAIN;
use crate::measurement::Component;
use crate::note::{Kind, Vkey};
use crate::receipt::Defect;
use crate::refusal::Reason;
use crate::seen::Event;

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY`].
    #[error("it is longer than {MAX_ENTRY} bytes")]
    TooLong,
    /// Not strict JSON.
    #[error("it is not strict JSON: {0}")]
    Json(JsonError),
    /// Not an object.
    #[error("it is no object")]
    NotAnObject,
    /// Not in canonical form.
    #[error("it is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A member that every entry of its type has.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member that is not what it should be.
    #[error("`{0}` is not what it should be")]
    Invalid(&'static str),
    /// A member that entries of this type, or decisions with this verdict, do not have.
    #[error("entries of this type have no member `{}`", .0.escape_debug())]
    Unknown(Box<str>),
}

impl EntryError {
    /// The member, where one is at fault.
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::Missing(member) | Self::Invalid(member) => Some(member),
            Self::Unknown(member) => Some(member),
            _ => None,
        }
    }
}

/// What was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called<'a> {
    /// A tool, by `tools/call`.
    Tool(Cow<'a, str>),
    /// Another method.
    Method(Cow<'a, str>),
}

/// What a decision says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It was let through.
    Allow {
        /// Hash of the attestation.
        attestation: Digest,
        /// The caller's context.
        context: Jti,
        /// Hashes of the chain, root first; at least one.
        delegation: Vec<Digest>,
        /// Whether no outcome will follow.
        notification: bool,
        /// Salted digest of the parameters.
        params: Digest,
    },
    /// It was refused.
    Deny {
        /// Where the reason applies.
        about: Option<Cow<'a, str>>,
        /// Why.
        reason: Reason,
    },
}

/// What a caller found in a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked<'a> {
    /// It holds.
    Good {
        /// Index of the decision in the verifier's log.
        index: u64,
        /// Name of the verifier's log.
        log: Cow<'a, str>,
        /// Size of the tree that the decision was shown to be in.
        size: u64,
    },
    /// It does not, or there is none.
    Bad {
        /// Why.
        defect: Defect,
    },
}

/// An entry as somebody wrote it. The members are those of [`super::Entry`], each of its form; what they say was not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Written<'a> {
    /// A verifier starts.
    Start {
        /// Its audience.
        audience: Cow<'a, str>,
        /// Digest of its configuration.
        policy: Digest,
        /// When, in milliseconds since 1970; so too below.
        time: u64,
        /// Of the software.
        version: Cow<'a, str>,
    },
    /// A call is let through or refused.
    Decision {
        /// The agent.
        agent: Cow<'a, str>,
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// What was called.
        called: Called<'a>,
        /// Thumbprint of the call key.
        key: Digest,
        /// Digest of the configuration.
        policy: Digest,
        /// When.
        time: u64,
        /// Which of the two, and what it rests on.
        verdict: Verdict<'a>,
    },
    /// A call ended.
    Outcome {
        /// The server's audience, where it is known.
        audience: Option<Cow<'a, str>>,
        /// Hash of the call proof.
        call: Digest,
        /// Commitment to the result.
        result: Option<Digest>,
        /// How it ended.
        status: Status,
        /// When.
        time: u64,
    },
    /// Refusals that were counted.
    Refused {
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// How many; at least one.
        count: u64,
        /// Why.
        reason: Reason,
        /// When the first of them came.
        since: u64,
        /// When.
        time: u64,
    },
    /// A signer starts.
    Context {
        /// The agent.
        agent: Cow<'a, str>,
        /// Its new context.
        context: Jti,
        /// When.
        time: u64,
        /// Of the software.
        version: Cow<'a, str>,
    },
    /// A call was signed.
    Call {
        /// Hash of the attestation.
        attestation: Digest,
        /// The server it is made out to.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// What is called.
        called: Called<'a>,
        /// The caller's context.
        context: Jti,
        /// Hashes of the chain, root first; at least one.
        delegation: Vec<Digest>,
        /// Whether no outcome will follow.
        notification: bool,
        /// Salted digest of the parameters.
        params: Digest,
        /// When.
        time: u64,
    },
    /// What became of the receipt that had to come with the answer to a call.
    Receipt {
        /// The server's audience.
        audience: Cow<'a, str>,
        /// Hash of the call proof.
        call: Digest,
        /// What it proved, or where it is wrong.
        checked: Checked<'a>,
        /// Hash of receipt and proof, which stand beside the entry; absent where the answer had none.
        kept: Option<Digest>,
        /// When.
        time: u64,
    },
    /// A session of a host whose servers are only watched.
    Trail {
        /// The session.
        session: Jti,
        /// When.
        time: u64,
        /// Of the software.
        version: Cow<'a, str>,
    },
    /// Something passed between host and server.
    Seen {
        /// What.
        event: Box<Event>,
        /// When.
        time: u64,
    },
    /// A rule found something.
    Alert {
        /// What.
        alert: Box<Alert>,
        /// When.
        time: u64,
    },
    /// The log's key changes.
    Key {
        /// The next.
        key: Box<Vkey>,
        /// The one until here.
        previous: Box<Vkey>,
        /// When.
        time: u64,
    },
    /// A person accepted a state.
    Accepted {
        /// The agent.
        agent: Cow<'a, str>,
        /// The verifier's audience.
        audience: Cow<'a, str>,
        /// Who.
        by: Cow<'a, str>,
        /// Of which component.
        component: Component,
        /// What.
        digest: Digest,
        /// Why.
        reason: Cow<'a, str>,
        /// When it was accepted.
        since: u64,
        /// When.
        time: u64,
    },
    /// The log was taken over by hand.
    Adopted {
        /// How many entries there were.
        size: u64,
        /// When.
        time: u64,
    },
}

impl<'a> Written<'a> {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`EntryError`], the first in the order of its variants.
    pub fn read(body: &'a [u8]) -> Result<Self, EntryError> {
        // What nearly every entry looks like, in one pass. It decides nothing where it does not accept.
        match quick::read(body) {
            Some(written) => Ok(written),
            None => Self::read_in_full(body),
        }
    }

    /// [`Written::read`] without the short cut.
    pub(super) fn read_in_full(body: &[u8]) -> Result<Self, EntryError> {
        if body.len() > MAX_ENTRY {
            return Err(EntryError::TooLong);
        }
        let value = json::parse(body).map_err(EntryError::Json)?;
        let object = value.as_object().ok_or(EntryError::NotAnObject)?;
        if value.to_canonical() != body {
            return Err(EntryError::NotCanonical);
        }
        let kind = object.get("type").ok_or(EntryError::Missing("type"))?;
        let (read, members): (_, &[&str]) = match kind.as_str() {
            Some("start") => (start as Reader, &["audience", "policy", "time", "type", "version"]),
            Some("decision") => match object.get("decision").and_then(Value::as_str) {
                Some("allow") => (allow as Reader, &ALLOW),
                Some("deny") => (deny as Reader, &DENY),
                _ if object.get("decision").is_none() => return Err(EntryError::Missing("decision")),
                _ => return Err(EntryError::Invalid("decision")),
            },
            Some("outcome") => (outcome as Reader, &["audience", "call", "result", "status", "time", "type"]),
            Some("refused") => (refused as Reader, &["audience", "count", "reason", "since", "time", "type"]),
            Some("context") => (context as Reader, &["agent", "context", "time", "type", "version"]),
            Some("call") => (call as Reader, &CALL),
            Some("receipt") => match object.get("check").and_then(Value::as_str) {
                Some("ok") => (receipt as Reader, &GOOD),
                _ if object.get("check").is_none() => return Err(EntryError::Missing("check")),
                _ => (receipt as Reader, &BAD),
            },
            Some("trail") => (trail as Reader, &["session", "time", "type", "version"]),
            Some("seen") => (seen as Reader, &["event", "time", "type"]),
            Some("alert") => (alert as Reader, &ALERT),
            Some("key") => (key as Reader, &["key", "previous", "time", "type"]),
            Some("accepted") => (accepted as Reader, &ACCEPTED),
            Some("adopted") => (adopted as Reader, &["size", "time", "type"]),
            _ => return Err(EntryError::Invalid("type")),
        };
        if let Some((name, _)) = object.iter().find(|(name, _)| !members.contains(name)) {
            return Err(EntryError::Unknown(name.into()));
        }
        read(&mut Members(Claims::over(object), object))
    }

    /// When it was written, in milliseconds since 1970.
    pub fn time(&self) -> u64 {
        match self {
            Self::Start { time, .. }
            | Self::Decision { time, .. }
            | Self::Outcome { time, .. }
            | Self::Refused { time, .. }
            | Self::Context { time, .. }
            | Self::Call { time, .. }
            | Self::Receipt { time, .. }
            | Self::Trail { time, .. }
            | Self::Seen { time, .. }
            | Self::Alert { time, .. }
            | Self::Key { time, .. }
            | Self::Accepted { time, .. }
            | Self::Adopted { time, .. } => *time,
        }
    }

    /// The hash of what stands beside it alone: the call proof, or receipt and proof.
    pub fn own_token(&self) -> Option<Digest> {
        match self {
            Self::Decision { call, verdict: Verdict::Allow { .. }, .. } | Self::Call { call, .. } => Some(*call),
            Self::Receipt { kept, .. } => *kept,
            _ => None,
        }
    }

    /// The hashes of the tokens that it shares with others.
    pub fn tokens(&self) -> impl Iterator<Item = Digest> + '_ {
        let (attestation, delegation) = match self {
            Self::Decision { verdict: Verdict::Allow { attestation, delegation, .. }, .. }
            | Self::Call { attestation, delegation, .. } => (Some(*attestation), delegation.as_slice()),
            _ => (None, &[][..]),
        };
        attestation.into_iter().chain(delegation.iter().copied())
    }
}

/// Members of a decision that allows.
const ALLOW: [&str; 15] = [
    "agent",
    "attestation",
    "audience",
    "call",
    "context",
    "decision",
    "delegation",
    "key",
    "method",
    "notification",
    "params",
    "policy",
    "time",
    "tool",
    "type",
];
/// Members of a decision that refuses.
const DENY: [&str; 12] =
    ["about", "agent", "audience", "call", "decision", "key", "method", "policy", "reason", "time", "tool", "type"];
/// Members of a caller's entry.
const CALL: [&str; 11] = [
    "attestation",
    "audience",
    "call",
    "context",
    "delegation",
    "method",
    "notification",
    "params",
    "time",
    "tool",
    "type",
];

/// Members of an entry about a receipt that holds.
const GOOD: [&str; 9] = ["audience", "call", "check", "index", "log", "receipt", "size", "time", "type"];
/// Members of an entry about one that does not.
const BAD: [&str; 7] = ["about", "audience", "call", "check", "receipt", "time", "type"];

/// Members of an alert.
const ALERT: [&str; 11] =
    ["action", "call", "entries", "reason", "rule", "server", "session", "severity", "time", "tool", "type"];

/// Members of an entry about what somebody accepted.
const ACCEPTED: [&str; 9] = ["agent", "audience", "by", "component", "digest", "reason", "since", "time", "type"];

type Read<T> = Result<T, EntryError>;
type Reader = fn(&mut Members<'_, '_>) -> Read<Written<'static>>;

impl From<ClaimsError> for EntryError {
    fn from(error: ClaimsError) -> Self {
        match error {
            ClaimsError::NotAnObject => Self::NotAnObject,
            ClaimsError::Missing(member) => Self::Missing(member),
            ClaimsError::Invalid(member) | ClaimsError::Key(member, _) => Self::Invalid(member),
            // Every name was looked at before.
            ClaimsError::Unknown => Self::Unknown("".into()),
        }
    }
}

/// The members of one entry.
struct Members<'o, 'v>(Claims<'o, 'v>, &'o Object<'v>);

impl Members<'_, '_> {
    fn name(&mut self, member: &'static str) -> Read<Cow<'static, str>> {
        Ok(self.0.name(member)?.into())
    }

    fn digest(&mut self, member: &'static str) -> Read<Digest> {
        Ok(self.0.digest(member)?)
    }

    fn number(&mut self, member: &'static str) -> Read<u64> {
        Ok(self.0.number(member)?)
    }

    fn jti(&mut self, member: &'static str) -> Read<Jti> {
        Ok(self.0.jti(member)?)
    }

    fn has(&self, member: &str) -> bool {
        self.1.get(member).is_some()
    }

    fn chain(&mut self) -> Read<Vec<Digest>> {
        let invalid = EntryError::Invalid("delegation");
        let hashes = self.0.array("delegation")?;
        if hashes.is_empty() || hashes.len() > MAX_CHAIN {
            return Err(invalid);
        }
        hashes.iter().map(|hash| hash.as_str().and_then(Digest::from_b64).ok_or(invalid.clone())).collect()
    }

    fn called(&mut self) -> Read<Called<'static>> {
        if self.has("tool") && self.has("method") {
            return Err(EntryError::Unknown("method".into()));
        }
        if !self.has("method") {
            return self.name("tool").map(Called::Tool);
        }
        let method = self.name("method")?;
        if method == TOOLS_CALL { Err(EntryError::Invalid("method")) } else { Ok(Called::Method(method)) }
    }

    /// `true`, or absent. A `tools/call` is no notification (request.md, rule 15).
    fn notification(&mut self, called: &Called<'_>) -> Read<bool> {
        match (self.0.optional("notification").map(Value::as_bool), called) {
            (None, _) => Ok(false),
            (Some(Some(true)), Called::Method(_)) => Ok(true),
            _ => Err(EntryError::Invalid("notification")),
        }
    }

    fn reason(&mut self) -> Read<Reason> {
        let code = self.0.text("reason")?;
        Reason::ALL.iter().copied().find(|reason| reason.code() == code).ok_or(EntryError::Invalid("reason"))
    }

    fn vkey(&mut self, member: &'static str) -> Read<Box<Vkey>> {
        let key = Vkey::parse(self.0.text(member)?).ok().filter(|key| key.kind() == Kind::Log);
        key.map(Box::new).ok_or(EntryError::Invalid(member))
    }
}

fn start(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Start {
        audience: members.name("audience")?,
        policy: members.digest("policy")?,
        time: members.number("time")?,
        version: members.name("version")?,
    })
}

fn decision(
    members: &mut Members<'_, '_>,
    verdict: Verdict<'static>,
    called: Called<'static>,
) -> Read<Written<'static>> {
    Ok(Written::Decision {
        agent: members.name("agent")?,
        audience: members.name("audience")?,
        call: members.digest("call")?,
        called,
        key: members.digest("key")?,
        policy: members.digest("policy")?,
        time: members.number("time")?,
        verdict,
    })
}

fn allow(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let called = members.called()?;
    let verdict = Verdict::Allow {
        attestation: members.digest("attestation")?,
        context: members.jti("context")?,
        delegation: members.chain()?,
        notification: members.notification(&called)?,
        params: members.digest("params")?,
    };
    decision(members, verdict, called)
}

fn deny(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let about = if members.has("about") { Some(members.name("about")?) } else { None };
    let verdict = Verdict::Deny { about, reason: members.reason()? };
    let called = members.called()?;
    decision(members, verdict, called)
}

fn outcome(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let audience = if members.has("audience") { Some(members.name("audience")?) } else { None };
    let result = if members.has("result") { Some(members.digest("result")?) } else { None };
    let word = members.0.text("status")?;
    let status = Status::parse(word).ok_or(EntryError::Invalid("status"))?;
    Ok(Written::Outcome { audience, call: members.digest("call")?, result, status, time: members.number("time")? })
}

fn refused(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let count = members.number("count")?;
    if count == 0 {
        return Err(EntryError::Invalid("count"));
    }
    Ok(Written::Refused {
        audience: members.name("audience")?,
        count,
        reason: members.reason()?,
        since: members.number("since")?,
        time: members.number("time")?,
    })
}

fn context(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Context {
        agent: members.name("agent")?,
        context: members.jti("context")?,
        time: members.number("time")?,
        version: members.name("version")?,
    })
}

fn call(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let called = members.called()?;
    Ok(Written::Call {
        attestation: members.digest("attestation")?,
        audience: members.name("audience")?,
        call: members.digest("call")?,
        context: members.jti("context")?,
        delegation: members.chain()?,
        notification: members.notification(&called)?,
        called,
        params: members.digest("params")?,
        time: members.number("time")?,
    })
}

fn receipt(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let word = members.0.text("check")?;
    let kept = if word == "ok" || members.has("receipt") { Some(members.digest("receipt")?) } else { None };
    let checked = if word == "ok" {
        let (index, log, size) = (members.number("index")?, members.name("log")?, members.number("size")?);
        if index >= size {
            return Err(EntryError::Invalid("index"));
        }
        Checked::Good { index, log, size }
    } else {
        let about = members.0.text("about")?;
        let defect = Defect::ALL.into_iter().find(|defect| defect.word() == about);
        let defect = defect.ok_or(EntryError::Invalid("about"))?;
        if defect.reason().code() != word {
            return Err(EntryError::Invalid("check"));
        }
        Checked::Bad { defect }
    };
    let (audience, call) = (members.name("audience")?, members.digest("call")?);
    Ok(Written::Receipt { audience, call, checked, kept, time: members.number("time")? })
}

fn trail(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Trail {
        session: members.jti("session")?,
        time: members.number("time")?,
        version: members.name("version")?,
    })
}

fn seen(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let event = Event::read(members.0.required("event")?).map_err(|error| match error {
        ClaimsError::NotAnObject | ClaimsError::Unknown => EntryError::Invalid("event"),
        of_a_member => of_a_member.into(),
    })?;
    Ok(Written::Seen { event: Box::new(event), time: members.number("time")? })
}

fn alert(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Alert { alert: Box::new(Alert::read(&mut members.0)?), time: members.number("time")? })
}

fn key(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let (key, previous) = (members.vkey("key")?, members.vkey("previous")?);
    // A log has one name, and a key that changes is another one.
    if key.name() != previous.name() || key.key() == previous.key() {
        return Err(EntryError::Invalid("key"));
    }
    Ok(Written::Key { key, previous, time: members.number("time")? })
}

fn accepted(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    let component = Component::parse(members.0.text("component")?).ok_or(EntryError::Invalid("component"))?;
    Ok(Written::Accepted {
        agent: members.name("agent")?,
        audience: members.name("audience")?,
        by: members.name("by")?,
        component,
        digest: members.digest("digest")?,
        reason: members.name("reason")?,
        since: members.number("since")?,
        time: members.number("time")?,
    })
}

fn adopted(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Adopted { size: members.number("size")?, time: members.number("time")? })
}
