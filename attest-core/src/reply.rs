//! How a refusal reaches the caller, in two shapes: `spec/refusals.md`.
//!
//! Neither holds arguments, keys or digests. Both are answers over an intact connection (over HTTP: status 200), because
//! an HTTP 400, 401 or 403 is opaque to the clients in use, and may start a login.

use crate::json::{self, Object, Value, write_string};
use crate::measurement::Component;
use crate::names::{EXTENSION, HEADER_MISMATCH_CODE, MISSING_CAPABILITY_CODE, REFUSAL, REFUSAL_CODE};
use crate::nonce::Nonce;
use crate::refusal::{About, Reason, Refusal, StepUp};

/// The shape of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// A JSON-RPC error: the default.
    #[default]
    Error,
    /// A tool result with `isError`, for hosts that show only those to the model.
    ToolResult,
}

/// What a caller is told.
struct Told {
    code: i32,
    wire: &'static str,
    component: Option<&'static str>,
    step_up: Option<(Nonce, Vec<&'static str>)>,
    advice: &'static str,
}

/// The answer to a refused call. `id` is `None` where the message could not be read far enough to know it.
pub fn refuse(id: Option<&Value<'_>>, refusal: &Refusal, shape: Shape) -> Vec<u8> {
    let wire = refusal.reason.on_the_wire();
    let component = match refusal.about {
        // Named only to a caller who is authenticated: it is the caller's own component.
        Some(About::Component(component)) if wire == refusal.reason.code() => Some(component.as_str()),
        _ => None,
    };
    let step_up = match &refusal.about {
        Some(About::StepUp(asked)) => Some((asked.nonce, asked.required.clone())),
        _ => None,
    };
    Told { code: code(refusal), wire, component, step_up, advice: advice(refusal.reason) }.write(id, shape)
}

/// A verifier's refusal in words of our own: for a caller that believes nobody on the way, since a refusal bears no
/// signature. `None` where `answer` is no refusal for a reason of the set. Whoever forges one can say no more than such a reason.
pub fn retell(answer: &Value<'_>) -> Option<Vec<u8>> {
    let object = answer.as_object()?;
    let member = |outer: &str, inner: &str| object.get(outer)?.as_object()?.get(inner);
    let (shape, data) = match (member("error", "data"), member("result", "_meta")) {
        (Some(data), None) => (Shape::Error, data.as_object()?),
        (None, Some(meta)) => (Shape::ToolResult, meta.as_object()?.get(REFUSAL)?.as_object()?),
        _ => return None,
    };
    let said = data.get("reason")?.as_str()?;
    let reason = Reason::ALL.iter().find(|reason| reason.on_the_wire() == said)?;
    let component = match data.get("component") {
        None => None,
        Some(name) => Some(Component::parse(name.as_str()?)?.as_str()),
    };
    let code = match shape {
        Shape::ToolResult => REFUSAL_CODE,
        Shape::Error => {
            let code = member("error", "code")?.as_number()?;
            let codes = [REFUSAL_CODE, HEADER_MISMATCH_CODE, MISSING_CAPABILITY_CODE];
            codes.into_iter().find(|known| f64::from(*known) == code)?
        }
    };
    let step_up = match data.get("nonce") {
        None => None,
        Some(_) => Some(step_up(data)?),
    };
    let told = Told { code, wire: reason.on_the_wire(), component, step_up, advice: advice(*reason) };
    Some(told.write(object.get("id"), shape))
}

impl Told {
    fn write(&self, id: Option<&Value<'_>>, shape: Shape) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        let text = self.message();
        let data = |out: &mut Vec<u8>| {
            out.push(b'{');
            if let Some(component) = self.component {
                out.extend_from_slice(b"\"component\":");
                write_string(component, out);
                out.push(b',');
            }
            if let Some((nonce, _)) = &self.step_up {
                out.extend_from_slice(b"\"nonce\":");
                write_string(&nonce.to_b64(), out);
                out.push(b',');
            }
            out.extend_from_slice(b"\"reason\":");
            write_string(self.wire, out);
            for (n, word) in self.step_up.iter().flat_map(|(_, required)| required).enumerate() {
                out.extend_from_slice(if n == 0 { b",\"required\":[" } else { b"," });
                write_string(word, out);
            }
            out.extend_from_slice(if self.step_up.is_some() { b"]}" } else { b"}" });
        };
        let write_id = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"\"id\":");
            json::write_canonical(id.unwrap_or(&Value::Null), out);
            out.extend_from_slice(b",\"jsonrpc\":\"2.0\"");
        };
        // Without an id there is no call to give a result to, so the error stands alone.
        if shape == Shape::Error || id.is_none() {
            out.extend_from_slice(format!("{{\"error\":{{\"code\":{},\"data\":", self.code).as_bytes());
            data(&mut out);
            if self.code == MISSING_CAPABILITY_CODE {
                // Behind `reason`, the data's last member, in place of the brace that closes it.
                out.pop();
                out.extend_from_slice(b",\"requiredCapabilities\":{\"extensions\":{");
                write_string(EXTENSION, &mut out);
                out.extend_from_slice(b":{}}}}");
            }
            out.extend_from_slice(b",\"message\":");
            write_string(&text, &mut out);
            out.extend_from_slice(b"},");
            write_id(&mut out);
            out.push(b'}');
        } else {
            out.push(b'{');
            write_id(&mut out);
            out.extend_from_slice(b",\"result\":{\"_meta\":{");
            write_string(REFUSAL, &mut out);
            out.push(b':');
            data(&mut out);
            out.extend_from_slice(b"},\"content\":[{\"text\":");
            write_string(&text, &mut out);
            // `resultType` is required from 2026-07-28 on; before that it is an extra member, which clients ignore.
            out.extend_from_slice(b",\"type\":\"text\"}],\"isError\":true,\"resultType\":\"complete\"}}");
        }
        out
    }

    fn message(&self) -> String {
        let Self { wire, advice, .. } = self;
        match self.component {
            Some(component) => format!("attest refused this call ({wire}, {component}). {advice}"),
            None => format!("attest refused this call ({wire}). {advice}"),
        }
    }
}

/// What a verifier asks for, in the data of its refusal. `None` where it asks for nothing that we know.
fn step_up(data: &Object<'_>) -> Option<(Nonce, Vec<&'static str>)> {
    let nonce = Nonce::from_b64(data.get("nonce")?.as_str()?)?;
    let required = data.get("required")?.as_array().filter(|required| !required.is_empty())?;
    let word = |value: &Value<'_>| {
        let said = value.as_str()?;
        StepUp::WORDS.into_iter().find(|word| *word == said)
    };
    Some((nonce, required.iter().map(word).collect::<Option<_>>()?))
}

/// What the verifier asks for that refused the call that `answer` answers, in either shape; `None` where it asks for nothing.
pub fn challenge(answer: &Value<'_>) -> Option<(Nonce, Vec<&'static str>)> {
    let object = answer.as_object()?;
    let member = |outer: &str, inner: &str| object.get(outer)?.as_object()?.get(inner)?.as_object();
    let data = member("error", "data").or_else(|| member("result", "_meta")?.get(REFUSAL)?.as_object())?;
    (data.get("reason")?.as_str()? == Reason::StepUpRequired.code()).then(|| step_up(data)).flatten()
}

/// Why a verifier refused the call that `answer` answers, in either shape; `None` where it did not.
pub fn reason<'m>(answer: &'m Value<'_>) -> Option<&'m str> {
    let answer = answer.as_object()?;
    let member = |outer: &str, inner: &str, name: &str| {
        let outer = answer.get(outer)?.as_object()?;
        outer.get(inner)?.as_object()?.get(name)
    };
    let said = match (member("error", "data", "reason"), member("result", "_meta", REFUSAL)) {
        (Some(reason), _) => Some(reason),
        (None, Some(refusal)) => refusal.as_object()?.get("reason"),
        (None, None) => None,
    };
    said?.as_str()
}

/// Our own code, but for the two failures for which MCP has one.
fn code(refusal: &Refusal) -> i32 {
    match (refusal.reason, &refusal.about) {
        (Reason::NoProof, Some(About::Undeclared)) => MISSING_CAPABILITY_CODE,
        (Reason::HeaderMismatch, _) => HEADER_MISMATCH_CODE,
        _ => REFUSAL_CODE,
    }
}

fn advice(reason: Reason) -> &'static str {
    match reason.on_the_wire() {
        "malformed" => "The message or its proof is not of the form that this verifier reads.",
        "stale" => "A token of the call has expired or is dated in the future; renew it, or compare the clocks.",
        "unauthenticated" => {
            "The call carries no proof by an agent that this server knows; put `attest wrap` in front."
        }
        _ => reason.advice(),
    }
}
