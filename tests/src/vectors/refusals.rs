//! The family `refusals`: what a caller is sent, byte for byte.

use serde_json::{Value, json};

use super::file::{Vector, on_the_wire};
use super::token::{b64, canonical};

/// Every reason that is sent to a caller, and what it means, from `spec/refusals.md` a second time.
const MEANINGS: &[(&str, &str)] = &[
    ("method-denied", "The operator of this server does not let this method through."),
    (
        "not-cached",
        "The verifier does not remember the tokens that the shorthand stands for; send the same call again with the tokens in full.",
    ),
    ("wrong-audience", "The call is made out to another server."),
    ("wrong-attestation", "The call proof belongs to another attestation."),
    ("wrong-delegation", "The call proof belongs to another delegation."),
    ("method-mismatch", "The method is not the one that was signed."),
    ("tool-mismatch", "The tool is not the one that was signed."),
    ("params-mismatch", "The parameters are not the ones that were signed."),
    ("meta-mismatch", "The metadata is not what was signed."),
    (
        "provenance-mismatch",
        "The receipts or the cause that came with the call are not those that the call proof names.",
    ),
    ("replay", "This very call was made before; sign a new one."),
    (
        "no-reference",
        "The verifier has no reference value for a component of this agent; its operator must add one or write `any`.",
    ),
    ("component-missing", "The agent does not show a component that the verifier requires."),
    ("grade-too-low", "A component of the agent is measured more weakly than the verifier requires."),
    ("state-mismatch", "A component of the agent is not in a state that the verifier accepts."),
    (
        "platform-missing",
        "The verifier lets this agent in only with a quote of its machine's TPM, and the attestation has none.",
    ),
    ("unknown-platform", "The quote is by a key that this verifier does not pin for this agent."),
    ("platform-signature", "The signature of the quote does not verify."),
    ("platform-binding", "The quote was made over other claims than those of the attestation that it stands in."),
    ("platform-state", "The machine was not started in a state that the verifier accepts."),
    ("unknown-root", "The chain does not start at a delegation root that this verifier pins."),
    ("chain-signature", "A token of the chain is not signed by the key that its parent confirms."),
    ("chain-linkage", "A token of the chain does not point to its parent."),
    ("chain-depth", "The chain is deeper than one of its tokens allows."),
    ("chain-lifetime", "A token of the chain outlives its parent."),
    ("widened", "A token of the chain grants what its parent does not."),
    ("root-scope", "The root grants a tool, or releases a label, that its key may not speak for."),
    ("holder-role", "A token of the chain is held by a key that has another role in this verifier's configuration."),
    ("holder-mismatch", "The delegation is held by another key than the one that makes the call."),
    (
        "holder-attestation",
        "A token of the chain was derived under a pin of its signer's state, and brings no attestation of his that holds; he must derive it anew.",
    ),
    ("state-pinned", "Somebody who holds the chain is not in the state that it pins."),
    (
        "holder-stale",
        "The attestation of somebody above in the chain is older than the chain allows; he must derive the token anew.",
    ),
    ("revoked", "The attestation, or a token of the chain, was taken back by whoever keeps its status."),
    ("status-unknown", "No fresh status list says whether the attestation, or a token of the chain, still counts."),
    ("tool-not-granted", "The delegation does not grant this tool of this server."),
    ("arguments-not-granted", "The delegation grants the tool, but not with these arguments."),
    ("method-not-granted", "The delegation grants no tool of this server, and so no other method of it."),
    ("unknown-cause", "The call names as its cause a decision of no log that this verifier pins."),
    (
        "cause-not-in-chain",
        "The call is made on behalf of somebody who did not delegate it: its chain does not pass through the key of its cause.",
    ),
    (
        "origin-not-granted",
        "The delegation lets its holder call on somebody's behalf only, and the call names no cause.",
    ),
    ("bad-declassification", "A declassification is not by an owner of its labels, or is made out to another call."),
    ("declassification-used", "A declassification was used before; it serves one call."),
    (
        "flow-not-granted",
        "The agent has seen data that may not flow to this tool: the delegation does not release its labels, or the tool does not take them.",
    ),
    (
        "lineage-required",
        "The tool asks for the lineage of what reaches it, and the agent's signer is not one that this verifier accepts as keeping it.",
    ),
    ("policy-denied", "A policy of this server's operator forbids the call, or none permits it."),
    (
        "policy-error",
        "The policies of this server's operator cannot decide the call, so it does not pass; its operator must see to it.",
    ),
    (
        "step-up-required",
        "The policies of this server's operator ask for more before the call may run: a proof made now, a state measured now, or a person.",
    ),
    (
        "log-unavailable",
        "The verifier cannot write its log, so it lets nothing through; try again later, and if that stays so, its operator must see to it.",
    ),
    (
        "not-witnessed",
        "Too few witnesses have seen this server's log of late, so it lets nothing through; try again later.",
    ),
    ("outcome-not-logged", "The call ran, but its outcome could not be written to the log; do not repeat it blindly."),
    ("server-gone", "The server went away before it answered; whether the call ran is not known."),
    ("not-measured", "The agent's state cannot be measured, so nothing can be attested; see the signer's message."),
    (
        "not-signed",
        "The signer cannot sign: its key, or the agent that holds it, does not answer, the call cannot be bound, or the grant that goes with it cannot be made.",
    ),
    ("caller-log-unavailable", "The signer cannot write the caller's log, so it lets nothing out."),
    ("signer-gone", "There is no signer: it could not be reached or started; `attest signer status` tells more."),
    (
        "no-receipt",
        "The answer came without a receipt of the server's log, so it is withheld; the call may have run, so do not repeat it blindly.",
    ),
    (
        "bad-receipt",
        "The receipt does not fit the answer, the call or the server's log, so the answer is withheld; the call may have run, so do not repeat it blindly.",
    ),
    (
        "trail-unavailable",
        "The trail of what passes cannot be written, so nothing is asked of the server; whoever runs the trail must see to it.",
    ),
    ("alert", "A rule of whoever watches this server stopped the message; the alert in the log says which, and why."),
];

/// The reasons of which a caller is told the kind alone.
const BEFORE_THE_CALLER: [&str; 18] = [
    "too-large",
    "bad-http",
    "not-strict-json",
    "duplicate-member",
    "number-range",
    "bad-request",
    "no-proof",
    "bad-carrier",
    "token-encoding",
    "token-header",
    "token-not-canonical",
    "token-claims",
    "expired",
    "not-yet-valid",
    "life-too-long",
    "unknown-attester",
    "attestation-signature",
    "call-signature",
];

fn meaning(wire: &str) -> &'static str {
    match wire {
        "malformed" => "The message or its proof is not of the form that this verifier reads.",
        "stale" => "A token of the call has expired or is dated in the future; renew it, or compare the clocks.",
        "unauthenticated" => {
            "The call carries no proof by an agent that this server knows; put `attest wrap` in front."
        }
        wire => MEANINGS.iter().find(|(reason, _)| *reason == wire).expect("a reason with a meaning").1,
    }
}

/// The code of the JSON-RPC error, from `spec/refusals.md` a second time.
fn code(question: &Value) -> i32 {
    match (question["reason"].as_str(), question["undeclared"].as_bool()) {
        (Some("no-proof"), Some(true)) => -32021,
        (Some("header-mismatch"), _) => -32020,
        _ => -31401,
    }
}

/// `told` is the component that the reply names.
fn vector(name: &str, comment: &str, question: Value, told: Option<&str>, tool_result: bool) -> Vector {
    let reason = question["reason"].as_str().unwrap();
    let wire = on_the_wire(reason).to_owned();
    let about = told.map_or_else(|| wire.clone(), |component| format!("{wire}, {component}"));
    let text = format!("attest refused this call ({about}). {}", meaning(&wire));
    let code = code(&question);
    let mut data = match told {
        Some(component) => json!({"component": component, "reason": wire}),
        None => json!({"reason": wire}),
    };
    for asked in ["nonce", "required"] {
        if let Some(value) = question.get(asked) {
            data[asked] = value.clone();
        }
    }
    let id = question.get("id").cloned().unwrap_or(Value::Null);
    let reply = if tool_result {
        json!({"id": id, "jsonrpc": "2.0", "result": {
            "_meta": {attest_core::names::REFUSAL: data},
            "content": [{"text": text, "type": "text"}],
            "isError": true,
            "resultType": "complete",
        }})
    } else {
        if code == -32021 {
            data["requiredCapabilities"] = json!({"extensions": {attest_core::names::EXTENSION: {}}});
        }
        json!({"error": {"code": code, "data": data, "message": text}, "id": id, "jsonrpc": "2.0"})
    };
    Vector::new("refusal", format!("refusals_{name}"), comment, canonical(&question))
        .with("expect", &wire)
        .with("reply", &b64(canonical(&reply)))
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let error = |reason: &str, comment: &str| {
        vector(&reason.replace('-', "_"), comment, json!({"id": 7, "reason": reason, "shape": "error"}), None, false)
    };
    let before = BEFORE_THE_CALLER.iter().chain(&["key-role"]);
    let mut all: Vec<Vector> =
        before.map(|reason| error(reason, "told before the caller is known: the kind alone")).collect();
    all.extend(MEANINGS.iter().map(|(reason, _)| error(reason, "told as it is")));
    let component = |id: Value, shape: &str| json!({"component": "system-prompt", "id": id, "reason": "state-mismatch", "shape": shape});
    let undeclared = |name: &str, comment: &str, reason: &str, shape: &str| {
        let question = json!({"id": 7, "reason": reason, "shape": shape, "undeclared": true});
        vector(name, comment, question, None, shape == "tool-result")
    };
    let nonce = "AAAAAGtJ0gBmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY";
    let asked = |name: &str, comment: &str, shape: &str, required: Value| {
        let question =
            json!({"id": 7, "nonce": nonce, "reason": "step-up-required", "required": required, "shape": shape});
        vector(name, comment, question, None, shape == "tool-result")
    };
    all.extend([
        asked("step_up", "what is asked for, with what is to be signed", "error", json!(["nonce", "reattest"])),
        asked("step_up_tool_result", "the same as a tool result", "tool-result", json!(["approval"])),
        error("header-mismatch", "MCP's own code"),
        undeclared(
            "undeclared",
            "a modern client that did not declare the extension: MCP's own code",
            "no-proof",
            "error",
        ),
        undeclared("undeclared_tool_result", "a tool result has no code", "no-proof", "tool-result"),
        undeclared("undeclared_other_reason", "only where there is no proof", "bad-carrier", "error"),
        vector(
            "component",
            "the first example of the page",
            component(json!(7), "error"),
            Some("system-prompt"),
            false,
        ),
        vector(
            "component_tool_result",
            "the second example of the page",
            component(json!(7), "tool-result"),
            Some("system-prompt"),
            true,
        ),
        vector(
            "unread",
            "the third example of the page: a message that could not be read has no id",
            json!({"reason": "not-strict-json", "shape": "error"}),
            None,
            false,
        ),
        vector(
            "unread_tool_result",
            "without an id there is no call to give a result to: always an error",
            json!({"reason": "not-strict-json", "shape": "tool-result"}),
            None,
            false,
        ),
        vector(
            "tool_result",
            "a tool result about no component",
            json!({"id": "a\u{e9}\"\n", "reason": "replay", "shape": "tool-result"}),
            None,
            true,
        ),
        vector(
            "tool_result_kind",
            "a tool result that tells the kind alone",
            json!({"id": 0.5, "reason": "no-proof", "shape": "tool-result"}),
            None,
            true,
        ),
        vector(
            "component_before_the_caller",
            "no component before the caller is known, whatever the refusal is about",
            json!({"component": "config", "id": 7, "reason": "expired", "shape": "error"}),
            None,
            false,
        ),
    ]);
    all
}
