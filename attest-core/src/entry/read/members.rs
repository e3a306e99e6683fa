//! What stands in an entry of each type.

use std::borrow::Cow;

use super::{Called, Checked, EntryError, Lineage, Verdict, Written};
use crate::alert::Alert;
use crate::call_proof::TOOLS_CALL;
use crate::claims::{Claims, ClaimsError};
use crate::digest::{Digest, Jti};
use crate::entry::Status;
use crate::json::{Object, Value};
use crate::labels::Labels;
use crate::limits::{MAX_APPROVALS, MAX_CHAIN, MAX_DECLASSIFICATIONS, MAX_SHOWN};
use crate::measurement::Component;
use crate::note::{Kind, Vkey};
use crate::receipt::Defect;
use crate::refusal::Reason;
use crate::seen::Event;

/// Members of a decision that allows.
const ALLOW: [&str; 21] = [
    "agent",
    "approved",
    "attestation",
    "audience",
    "call",
    "cause",
    "context",
    "decision",
    "declassified",
    "delegation",
    "facts",
    "key",
    "labels",
    "method",
    "notification",
    "params",
    "policy",
    "receipts",
    "time",
    "tool",
    "type",
];
/// Members of a decision that refuses.
const DENY: [&str; 13] = [
    "about", "agent", "audience", "call", "decision", "facts", "key", "method", "policy", "reason", "time", "tool",
    "type",
];
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

/// Reads the members of an entry's object: which there may be, and what each must be, by the entry's type.
pub(super) fn read(object: &Object<'_>) -> Read<Written<'static>> {
    let kind = object.get("type").ok_or(EntryError::Missing("type"))?;
    let (read, members): (_, &[&str]) = match kind.as_str() {
        Some("start") => (start as Reader, &["audience", "policy", "shared", "time", "type", "version"]),
        Some("config") => (config as Reader, &["audience", "policy", "time", "type"]),
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
        Some("closed") => (closed as Reader, &["alert", "audience", "by", "reason", "since", "time", "type"]),
        Some("used") => (used as Reader, &["audience", "call", "time", "token", "type"]),
        Some("adopted") => (adopted as Reader, &["size", "time", "type"]),
        Some("forgotten") => (forgotten as Reader, &["before", "time", "type"]),
        _ => return Err(EntryError::Invalid("type")),
    };
    if let Some((name, _)) = object.iter().find(|(name, _)| !members.contains(name)) {
        return Err(EntryError::Unknown(name.into()));
    }
    read(&mut Members(Claims::over(object), object))
}

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

    /// A list of at least one hash; empty where it is absent.
    fn hashes(&mut self, member: &'static str, most: usize) -> Read<Vec<Digest>> {
        if !self.has(member) {
            return Ok(Vec::new());
        }
        let hashes = self.0.array(member)?.iter().map(|hash| hash.as_str().and_then(Digest::from_b64));
        let hashes = hashes.collect::<Option<Vec<_>>>().filter(|hashes| (1..=most).contains(&hashes.len()));
        hashes.ok_or(EntryError::Invalid(member))
    }

    /// Each member is absent where there is nothing to say.
    fn lineage(&mut self) -> Read<Lineage> {
        let cause = if self.has("cause") { Some(self.digest("cause")?) } else { None };
        let labels = if self.has("labels") { self.0.labels("labels")? } else { Labels::None };
        let approved = self.hashes("approved", MAX_APPROVALS)?;
        let declassified = self.hashes("declassified", MAX_DECLASSIFICATIONS)?;
        let receipts = self.hashes("receipts", MAX_SHOWN)?;
        let said = !self.has("labels") || !labels.is_empty();
        if said {
            Ok(Lineage { approved, cause, declassified, labels, receipts })
        } else {
            Err(EntryError::Invalid("labels"))
        }
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

    /// `true`, or absent.
    fn mark(&mut self, name: &'static str) -> Read<bool> {
        match self.0.optional(name).map(Value::as_bool) {
            None => Ok(false),
            Some(Some(true)) => Ok(true),
            _ => Err(EntryError::Invalid(name)),
        }
    }

    /// A `tools/call` is no notification (request.md, rule 15).
    fn notification(&mut self, called: &Called<'_>) -> Read<bool> {
        match (self.mark("notification")?, called) {
            (true, Called::Tool(_)) => Err(EntryError::Invalid("notification")),
            (mark, _) => Ok(mark),
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

fn used(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Used {
        audience: members.name("audience")?,
        call: members.digest("call")?,
        token: members.digest("token")?,
        time: members.number("time")?,
    })
}

fn start(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Start {
        audience: members.name("audience")?,
        policy: members.digest("policy")?,
        shared: members.mark("shared")?,
        time: members.number("time")?,
        version: members.name("version")?,
    })
}

fn config(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Config {
        audience: members.name("audience")?,
        policy: members.digest("policy")?,
        time: members.number("time")?,
    })
}

fn decision(
    members: &mut Members<'_, '_>,
    verdict: Verdict<'static>,
    called: Called<'static>,
) -> Read<Written<'static>> {
    let facts = if members.has("facts") { Some(members.digest("facts")?) } else { None };
    Ok(Written::Decision {
        facts,
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
        lineage: Box::new(members.lineage()?),
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

fn closed(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Closed {
        alert: members.number("alert")?,
        audience: members.name("audience")?,
        by: members.name("by")?,
        reason: members.name("reason")?,
        since: members.number("since")?,
        time: members.number("time")?,
    })
}

fn adopted(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Adopted { size: members.number("size")?, time: members.number("time")? })
}

fn forgotten(members: &mut Members<'_, '_>) -> Read<Written<'static>> {
    Ok(Written::Forgotten { before: members.number("before")?, time: members.number("time")? })
}
