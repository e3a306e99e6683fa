//! How a refusal reaches the caller, in two shapes: `spec/refusals.md`.
//!
//! Neither holds arguments, keys or digests. Both are answers over an intact connection (over HTTP: status 200), because
//! an HTTP 400, 401 or 403 is opaque to the clients in use, and may start a login.

use crate::json::{self, Value, write_string};
use crate::names::{EXTENSION, HEADER_MISMATCH_CODE, MISSING_CAPABILITY_CODE, REFUSAL, REFUSAL_CODE};
use crate::refusal::{About, Reason, Refusal};

/// The shape of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// A JSON-RPC error: the default.
    #[default]
    Error,
    /// A tool result with `isError`, for hosts that show only those to the model.
    ToolResult,
}

/// The answer to a refused call. `id` is `None` where the message could not be read far enough to know it.
pub fn refuse(id: Option<&Value<'_>>, refusal: &Refusal, shape: Shape) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    let wire = refusal.reason.on_the_wire();
    let component = match refusal.about {
        // Named only to a caller who is authenticated: it is the caller's own component.
        Some(About::Component(component)) if wire == refusal.reason.code() => Some(component.as_str()),
        _ => None,
    };
    let text = message(refusal, wire, component);
    let data = |out: &mut Vec<u8>| {
        out.push(b'{');
        if let Some(component) = component {
            out.extend_from_slice(b"\"component\":");
            write_string(component, out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"reason\":");
        write_string(wire, out);
        out.push(b'}');
    };
    let write_id = |out: &mut Vec<u8>| {
        out.extend_from_slice(b"\"id\":");
        json::write_canonical(id.unwrap_or(&Value::Null), out);
        out.extend_from_slice(b",\"jsonrpc\":\"2.0\"");
    };
    // Without an id there is no call to give a result to, so the error stands alone.
    if shape == Shape::Error || id.is_none() {
        let code = code(refusal);
        out.extend_from_slice(format!("{{\"error\":{{\"code\":{code},\"data\":").as_bytes());
        data(&mut out);
        if code == MISSING_CAPABILITY_CODE {
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

fn message(refusal: &Refusal, wire: &str, component: Option<&str>) -> String {
    let advice = match wire {
        "malformed" => "The message or its proof is not of the form that this verifier reads.",
        "stale" => "A token of the call has expired or is dated in the future; renew it, or compare the clocks.",
        "unauthenticated" => {
            "The call carries no proof by an agent that this server knows; put `attest wrap` in front."
        }
        _ => refusal.reason.advice(),
    };
    match component {
        Some(component) => format!("attest refused this call ({wire}, {component}). {advice}"),
        None => format!("attest refused this call ({wire}). {advice}"),
    }
}
