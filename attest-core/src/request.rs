//! A call as it stands in a JSON-RPC message: a `tools/call`, or any other method of which a server's operator asks for a
//! proof. `spec/request.md`.
//!
//! Servers differ in what they forgive: some compare member names without regard to case, some accept other names for the
//! same member. So the exact names are listed here, and a message that some server could read as another call is refused.

use crate::call_proof::{MetaBinding, TOOLS_CALL};
use crate::carrier::Carrier;
use crate::cause::Told;
use crate::claims::is_name;
use crate::digest::{Digest, Salt};
use crate::extension;
use crate::json::{Object, Value, folds_to, write_canonical, write_members, write_string};
use crate::limits::MAX_META_NAMES;
use crate::names::{CAUSE, CLIENT_CAPABILITIES, PREFIX, PROOF};

/// The members of a JSON-RPC message.
const ENVELOPE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// The members of a request.
const REQUEST: [&str; 4] = ["jsonrpc", "id", "method", "params"];
/// The members of the `params` of a `tools/call`, of both eras of MCP.
const PARAMS: [&str; 6] = ["_meta", "arguments", "inputResponses", "name", "requestState", "task"];

/// Why a message is not let through before any token is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A JSON array, string, number, … where MCP has one object per message.
    #[error("a message is one JSON object; batches were removed from MCP in 2025-06-18")]
    NotAnObject,
    /// A member whose name is one of JSON-RPC's but for its case, or `__proto__`, or a name or method with a control character.
    #[error(
        "a member that differs from jsonrpc, id, method, params, result or error in case or control characters, or __proto__"
    )]
    WrongCase,
    /// A member that the call does not have, or one of the wrong type.
    #[error("a call with a member that MCP does not define, or one of the wrong type")]
    Shape,
    /// A `tools/call` without an `id`, or a call with one that is neither a string nor a number that a double holds exactly.
    #[error("a call without an id that an answer could be led back by: nobody could be told its outcome")]
    NoId,
}

/// What a message is, for us.
#[derive(Debug)]
pub enum Message<'m, 'v> {
    /// A `tools/call`, to be checked.
    Call(Call<'m, 'v>),
    /// Anything else, which passes unless the operator says otherwise.
    Other,
}

/// One call: a `tools/call`, or a request or notification of another method that is signed like one.
#[derive(Debug)]
pub struct Call<'m, 'v> {
    /// Absent in a notification.
    id: Option<&'m Value<'v>>,
    jsonrpc: Option<&'m Value<'v>>,
    method: &'m str,
    /// There exactly when the method is `tools/call`.
    tool: Option<&'m str>,
    /// Absent counts as empty.
    params: Option<&'m Object<'v>>,
    meta: Option<&'m Object<'v>>,
}

/// Says what a message is. Fails where a lenient server might read a call that we do not.
pub fn classify<'m, 'v>(message: &'m Value<'v>) -> Result<Message<'m, 'v>, RequestError> {
    let message = envelope(message)?;
    match message.get("method") {
        Some(Value::String(method)) if method == TOOLS_CALL => tools_call(message).map(Message::Call),
        // ["tools/call"] is "tools/call" to a server that looks a method up by whatever it is converted to.
        Some(Value::Array(_) | Value::Object(_)) => Err(RequestError::Shape),
        _ => Ok(Message::Other),
    }
}

/// The call that a request or notification of any method is, for a server that asks for a proof of it. A `tools/call` is
/// held to all that [`classify`] asks of one.
pub fn attested<'m, 'v>(message: &'m Value<'v>) -> Result<Call<'m, 'v>, RequestError> {
    let message = envelope(message)?;
    let method = message.get("method").and_then(Value::as_str).filter(|m| is_name(m)).ok_or(RequestError::Shape)?;
    if method == TOOLS_CALL {
        return tools_call(message);
    }
    only_of_a_request(message)?;
    let id = message.get("id");
    if !id.is_none_or(is_id) {
        return Err(RequestError::NoId);
    }
    let params = match message.get("params") {
        None => None,
        Some(params) => Some(params.as_object().ok_or(RequestError::Shape)?),
    };
    let meta = params.map_or(Ok(None), |params| object_of(params, "_meta"))?;
    Ok(Call { id, jsonrpc: message.get("jsonrpc"), method, tool: None, params, meta })
}

/// The message, if nothing at its top could be read as another member than it is.
fn envelope<'m, 'v>(message: &'m Value<'v>) -> Result<&'m Object<'v>, RequestError> {
    let message = message.as_object().ok_or(RequestError::NotAnObject)?;
    for (name, value) in message.iter() {
        // A reader in C may cut a text at U+0000 and then see another name, or another method.
        let cut = |text: &str| text.chars().any(char::is_control);
        if cut(name) || (name == "method" && value.as_str().is_some_and(cut)) {
            return Err(RequestError::WrongCase);
        }
        // One in JavaScript that copies members by assignment gives the copy another's members with this one.
        let is_prototype = name == "__proto__";
        if is_prototype || (!ENVELOPE.contains(&name) && ENVELOPE.iter().any(|known| folds_to(name, known))) {
            return Err(RequestError::WrongCase);
        }
    }
    Ok(message)
}

fn tools_call<'m, 'v>(message: &'m Object<'v>) -> Result<Call<'m, 'v>, RequestError> {
    only_of_a_request(message)?;
    let id = message.get("id").filter(|id| is_id(id)).ok_or(RequestError::NoId)?;
    let params = message.get("params").and_then(Value::as_object).ok_or(RequestError::Shape)?;
    if !params.iter().all(|(name, _)| PARAMS.contains(&name)) {
        return Err(RequestError::Shape);
    }
    object_of(params, "arguments")?;
    let meta = object_of(params, "_meta")?;
    let tool = params.get("name").and_then(Value::as_str).filter(|n| is_name(n)).ok_or(RequestError::Shape)?;
    let jsonrpc = message.get("jsonrpc");
    Ok(Call { id: Some(id), jsonrpc, method: TOOLS_CALL, tool: Some(tool), params: Some(params), meta })
}

fn only_of_a_request(message: &Object<'_>) -> Result<(), RequestError> {
    if message.iter().all(|(name, _)| REQUEST.contains(&name)) { Ok(()) } else { Err(RequestError::Shape) }
}

/// From 2^53 on neighbouring whole numbers share a double, and so would the answers to them.
fn is_id(id: &Value<'_>) -> bool {
    match id {
        Value::String(_) => true,
        Value::Number(n) => n.abs() < 9_007_199_254_740_992.0,
        _ => false,
    }
}

fn object_of<'m, 'v>(params: &'m Object<'v>, name: &str) -> Result<Option<&'m Object<'v>>, RequestError> {
    match params.get(name) {
        None => Ok(None),
        Some(value) => value.as_object().map(Some).ok_or(RequestError::Shape),
    }
}

/// Who stands for a member of `_meta`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Ours: written by the signer, read by the verifier, seen by nobody else.
    Ours,
    /// The protocol's and the tracing tools' own: they pass, bound by nothing.
    Unbound,
    /// Anything else: passes only if the call proof names it.
    Bound,
}

fn standing(name: &str) -> Standing {
    if name.starts_with(PREFIX) {
        return Standing::Ours;
    }
    if matches!(name, "progressToken" | "traceparent" | "tracestate" | "baggage") {
        return Standing::Unbound;
    }
    // MCP reserves every prefix whose second label is one of these.
    let label = name.split_once('/').and_then(|(prefix, _)| prefix.split('.').nth(1));
    if matches!(label, Some("modelcontextprotocol" | "mcp")) { Standing::Unbound } else { Standing::Bound }
}

impl<'m, 'v> Call<'m, 'v> {
    /// The request's id, which no signature binds: gateways renumber it. `None` for a notification, which is never a
    /// `tools/call`.
    pub fn id(&self) -> Option<&'m Value<'v>> {
        self.id
    }

    /// The method.
    pub fn method(&self) -> &'m str {
        self.method
    }

    /// The call's place in a trace (W3C Trace Context), as its client says: no signature binds it.
    pub fn traceparent(&self) -> Option<&'m str> {
        self.meta?.get("traceparent")?.as_str()
    }

    /// The tool's name; there exactly when the method is `tools/call`.
    pub fn tool(&self) -> Option<&'m str> {
        self.tool
    }

    /// What the verifier in front of an agent told it of the call on whose behalf this one is made, where the agent passes that on.
    pub fn told(&self) -> Option<Told<'m>> {
        self.meta?.get(CAUSE).and_then(Told::read)
    }

    /// The arguments; absent is not the same as empty.
    pub fn arguments(&self) -> Option<&'m Object<'v>> {
        self.params?.get("arguments").and_then(Value::as_object)
    }

    /// The arguments as a value.
    pub fn arguments_value(&self) -> Option<&'m Value<'v>> {
        self.params?.get("arguments")
    }

    /// The member that holds the proof.
    pub fn proof(&self) -> Option<&'m Value<'v>> {
        self.meta?.get(PROOF)
    }

    /// Whether the request is of the era in which each request declares its client's extensions, and does not declare ours.
    pub fn is_undeclared(&self) -> bool {
        self.meta.is_some_and(|meta| extension::speaks_modern(meta) && !extension::declares(meta))
    }

    /// The canonical form of `params` without `_meta`: everything in it can change what runs.
    pub fn canonical_params(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        write_members(self.params.into_iter().flat_map(Object::iter).filter(|(name, _)| *name != "_meta"), &mut out);
        out
    }

    fn bound(&self) -> impl Iterator<Item = (&'m str, &'m Value<'v>)> {
        self.meta.into_iter().flat_map(Object::iter).filter(|(name, _)| standing(name) == Standing::Bound)
    }

    fn digest_meta(members: impl Iterator<Item = (&'m str, &'m Value<'v>)>, salt: &Salt) -> Digest
    where
        'v: 'm,
    {
        let mut bytes = Vec::with_capacity(64);
        write_members(members, &mut bytes);
        Digest::salted(salt, &bytes)
    }

    /// Binds every member of `_meta` that can be bound; `None` where there are more than a call proof may name.
    pub fn bind_meta(&self, salt: &Salt) -> Option<MetaBinding> {
        let names: Vec<String> = self.bound().map(|(name, _)| name.to_owned()).collect();
        let fits = names.len() <= MAX_META_NAMES && names.iter().all(|name| is_name(name));
        fits.then(|| MetaBinding { names, digest: Self::digest_meta(self.bound(), salt) })
    }

    /// Whether the members that the proof names are all here, unchanged.
    pub fn meta_matches(&self, binding: &MetaBinding, salt: &Salt) -> bool {
        let named = || self.bound().filter(|(name, _)| binding.names.iter().any(|n| n == name));
        named().map(|(name, _)| name).eq(binding.names.iter().map(String::as_str))
            && Self::digest_meta(named(), salt) == binding.digest
    }

    /// The request that the signer sends on: canonical, with the proof in place of whatever stood under our names, and the
    /// extension declared where the client declares what it can.
    pub fn with_proof(&self, canonical_params: &[u8], carrier: &Carrier<'_>) -> Vec<u8> {
        self.rewrite(canonical_params, |_| true, Some(carrier))
    }

    /// The request that the verifier sends on: canonical, the very bytes that were verified, without our members and
    /// without members of `_meta` that nobody stands for.
    pub fn verified(&self, canonical_params: &[u8], binding: &MetaBinding) -> Vec<u8> {
        self.rewrite(canonical_params, |name| binding.names.iter().any(|n| n == name), None)
    }

    fn rewrite(&self, canonical_params: &[u8], bound: impl Fn(&str) -> bool, carrier: Option<&Carrier<'_>>) -> Vec<u8> {
        let mut out = Vec::with_capacity(canonical_params.len() + carrier.map_or(128, |_| 4096));
        out.push(b'{');
        for (name, value) in [("\"id\":", self.id), ("\"jsonrpc\":", self.jsonrpc)] {
            if let Some(value) = value {
                out.extend_from_slice(name.as_bytes());
                write_canonical(value, &mut out);
                out.push(b',');
            }
        }
        out.extend_from_slice(b"\"method\":");
        write_string(self.method, &mut out);
        out.extend_from_slice(b",\"params\":{");
        let kept = || {
            self.meta.into_iter().flat_map(Object::iter).filter(|(name, _)| match standing(name) {
                Standing::Ours => false,
                Standing::Unbound => true,
                Standing::Bound => bound(name),
            })
        };
        // `_meta` sorts before every other member of params, so the canonical rest follows as it is.
        if carrier.is_some() || kept().next().is_some() {
            out.extend_from_slice(b"\"_meta\":");
            write_meta(kept(), carrier, &mut out);
            if canonical_params.len() > 2 {
                out.push(b',');
            }
        }
        out.extend_from_slice(canonical_params.get(1..).unwrap_or(b"}"));
        out.push(b'}');
        out
    }
}

fn write_meta<'m, 'v: 'm>(
    kept: impl Iterator<Item = (&'m str, &'m Value<'v>)>,
    carrier: Option<&Carrier<'_>>,
    out: &mut Vec<u8>,
) {
    let mut pending = carrier;
    let mut first = true;
    let mut name_of = |name: &str, out: &mut Vec<u8>| {
        out.push(if first { b'{' } else { b',' });
        first = false;
        write_string(name, out);
        out.push(b':');
    };
    for (name, value) in kept {
        // Our name is ASCII, and so is every name that sorts next to it by bytes or by UTF-16 alike.
        if name > PROOF
            && let Some(carrier) = pending.take()
        {
            name_of(PROOF, out);
            carrier.write(out);
        }
        name_of(name, out);
        let capabilities = value.as_object().filter(|_| carrier.is_some() && name == CLIENT_CAPABILITIES);
        match capabilities.and_then(extension::declared) {
            Some(declared) => write_members(declared.iter(), out),
            None => write_canonical(value, out),
        }
    }
    if let Some(carrier) = pending {
        name_of(PROOF, out);
        carrier.write(out);
    }
    if first {
        out.push(b'{');
    }
    out.push(b'}');
}
