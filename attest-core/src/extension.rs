//! Our MCP extension, as client and server declare it: `spec/extension.md`.
//!
//! From 2026-07-28 on extensions stand in `capabilities.extensions`; before, `capabilities.experimental` is the place for
//! what the protocol does not know. Each function that would change a message gives `None` where there is nothing to
//! change, so that the message passes byte for byte.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::call_proof::TOOLS_CALL;
use crate::claims::is_name;
use crate::json::{Object, Value};
use crate::names::{CLIENT_CAPABILITIES, EXTENSION, PROTOCOL_VERSION};

/// How a connection says what it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25: once, by `initialize`.
    Legacy,
    /// From 2026-07-28 on: in the `_meta` of each request, and in the answer to `server/discover`.
    Modern,
}

impl Era {
    /// The era whose server declares what it can in the answer to this method.
    pub fn of_opening(method: &str) -> Option<Self> {
        match method {
            "initialize" => Some(Self::Legacy),
            "server/discover" => Some(Self::Modern),
            _ => None,
        }
    }

    /// The member of `capabilities` in which extensions stand.
    fn place(self) -> &'static str {
        match self {
            Self::Legacy => "experimental",
            Self::Modern => "extensions",
        }
    }
}

/// What a server offers: the settings of the extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Whether shorthand may be used: the verifier remembers tokens.
    pub cache: bool,
    /// The methods besides `tools/call` that need a proof, in ascending order of their UTF-8 bytes.
    pub methods: BTreeSet<String>,
}

impl Offer {
    /// Reads the settings object; `None` where a member that we know is of the wrong type. Unknown members are ignored.
    fn read(settings: &Value<'_>) -> Option<Self> {
        let settings = settings.as_object()?;
        let cache = settings.get("cache").map_or(Some(false), Value::as_bool)?;
        let methods = settings.get("methods").map_or(Some(&[][..]), Value::as_array)?;
        let method = |value: &Value<'_>| value.as_str().filter(|m| is_name(m)).map(str::to_owned);
        let mut methods = methods.iter().map(method).collect::<Option<BTreeSet<_>>>()?;
        // It needs a proof anyway.
        methods.remove(TOOLS_CALL);
        Some(Self { cache, methods })
    }

    fn write<'v>(&self) -> Value<'v> {
        let methods = self.methods.iter().map(|method| Value::String(Cow::Owned(method.clone()))).collect();
        let settings = Object::default().with("cache", Value::Bool(self.cache));
        Value::Object(settings.with("methods", Value::Array(methods)))
    }
}

/// Whether the request is of the modern era: its `_meta` says which version of the protocol it speaks.
pub fn is_modern(request: &Value<'_>) -> bool {
    member(request, &["params", "_meta"]).and_then(Value::as_object).is_some_and(speaks_modern)
}

/// Whether the request's client declares the extension, in its `_meta`.
pub fn is_declared(request: &Value<'_>) -> bool {
    member(request, &["params", "_meta"]).and_then(Value::as_object).is_some_and(declares)
}

pub(crate) fn speaks_modern(meta: &Object<'_>) -> bool {
    meta.get(PROTOCOL_VERSION).and_then(Value::as_str).is_some()
}

pub(crate) fn declares(meta: &Object<'_>) -> bool {
    let declared = meta.get(CLIENT_CAPABILITIES).and_then(|c| member(c, &[Era::Modern.place(), EXTENSION]));
    declared.and_then(Value::as_object).is_some()
}

/// An `initialize` request with the client's declaration; `None` for another message, for one without a `capabilities`
/// object, and for one that has it already.
pub fn declare_once<'v>(message: &Value<'v>) -> Option<Value<'v>> {
    let method = member(message, &["method"]).and_then(Value::as_str);
    if method != Some("initialize") {
        return None;
    }
    edit(message, &["params", "capabilities"], |c| with(c, Era::Legacy, Value::Object(Object::default())))
}

/// A request of the modern era with the client's declaration; `None` for one without client capabilities, and for one that
/// has it already. A request that is signed gets it with the proof.
pub fn declare_in_request<'v>(message: &Value<'v>) -> Option<Value<'v>> {
    edit(message, &["params", "_meta", CLIENT_CAPABILITIES], declared)
}

/// Client capabilities of the modern era with the declaration; `None` where it is there, or cannot stand.
pub(crate) fn declared<'v>(capabilities: &Object<'v>) -> Option<Object<'v>> {
    with(capabilities, Era::Modern, Value::Object(Object::default()))
}

/// The answer to `initialize` or `server/discover` with the server's offer, in place of whatever a server wrote under our
/// name; `None` where there is nothing to change, or no `capabilities` object to change it in.
pub fn with_offer<'v>(answer: &Value<'v>, era: Era, offer: &Offer) -> Option<Value<'v>> {
    edit(answer, &RESULT, |capabilities| {
        let other = match era {
            Era::Legacy => Era::Modern,
            Era::Modern => Era::Legacy,
        };
        let clean = without(capabilities, other);
        with(clean.as_ref().unwrap_or(capabilities), era, offer.write()).or(clean)
    })
}

/// What the server offers, by the answer to `initialize` or `server/discover`; `None` where it does not declare the
/// extension, or not in a form that we know.
pub fn offered(answer: &Value<'_>, era: Era) -> Option<Offer> {
    Offer::read(member(answer, &["result", "capabilities", era.place(), EXTENSION])?)
}

/// The answer without the offer, as a host sees it that knows nothing of us: also without the `extensions` or
/// `experimental` that has nothing else in it. `None` where there is no offer.
pub fn without_offer<'v>(answer: &Value<'v>) -> Option<Value<'v>> {
    edit(answer, &RESULT, |capabilities| {
        let clean = without(capabilities, Era::Legacy);
        without(clean.as_ref().unwrap_or(capabilities), Era::Modern).or(clean)
    })
}

/// Where an answer has the server's capabilities.
const RESULT: [&str; 2] = ["result", "capabilities"];

fn with<'v>(capabilities: &Object<'v>, era: Era, settings: Value<'v>) -> Option<Object<'v>> {
    let extensions = match capabilities.get(era.place()) {
        None => Object::default().with(EXTENSION, settings),
        Some(Value::Object(there)) if there.get(EXTENSION) == Some(&settings) => return None,
        Some(Value::Object(there)) => there.with(EXTENSION, settings),
        // Not of the protocol's form: whose it is must answer for it.
        Some(_) => return None,
    };
    Some(capabilities.with(era.place(), Value::Object(extensions)))
}

fn without<'v>(capabilities: &Object<'v>, era: Era) -> Option<Object<'v>> {
    let extensions = capabilities.get(era.place())?.as_object()?;
    extensions.get(EXTENSION)?;
    let rest = extensions.without(EXTENSION);
    let place = era.place();
    Some(if rest.is_empty() { capabilities.without(place) } else { capabilities.with(place, Value::Object(rest)) })
}

fn member<'m, 'v>(value: &'m Value<'v>, path: &[&str]) -> Option<&'m Value<'v>> {
    path.iter().try_fold(value, |value, name| value.as_object()?.get(name))
}

/// The value with the object at `path` replaced by what `change` makes of it.
fn edit<'v>(
    value: &Value<'v>,
    path: &[&'static str],
    change: impl FnOnce(&Object<'v>) -> Option<Object<'v>>,
) -> Option<Value<'v>> {
    let object = value.as_object()?;
    let changed = match path.split_first() {
        None => change(object)?,
        Some((name, rest)) => object.with(name, edit(object.get(name)?, rest, change)?),
    };
    Some(Value::Object(changed))
}
