"""How a refusal is told: reasons, what a caller sees of them, and the two shapes (spec/refusals.md)."""

from typing import Any

from extension import EXTENSION
from strict_json import canonical

CODE, HEADER_MISMATCH, MISSING_CAPABILITY = -31401, -32020, -32021
MEMBER = "io.github.agent-attest/refusal"
# "The set", up to where the caller is known: the reason on the wire in place of each of these. All others are told as they are.
_WIRE = {
    "malformed": (
        ("too-large", "bad-http", "header-mismatch", "not-strict-json", "duplicate-member", "number-range", "bad-request", "no-id", "bad-carrier")
        + ("token-encoding", "token-header", "token-not-canonical", "token-claims")
    ),
    "stale": ("expired", "not-yet-valid", "life-too-long"),
    "unauthenticated": ("no-proof", "unknown-attester", "attestation-signature", "key-role", "call-signature"),
}
_TOLD = {reason: wire for wire, reasons in _WIRE.items() for reason in reasons}
_MEANINGS = {
    "malformed": "The message or its proof is not of the form that this verifier reads.",
    "stale": "A token of the call has expired or is dated in the future; renew it, or compare the clocks.",
    "unauthenticated": "The call carries no proof by an agent that this server knows; put `attest wrap` in front.",
    "method-denied": "The operator of this server does not let this method through.",
    "not-cached": "The verifier does not remember the tokens that the shorthand stands for; send the same call again with the tokens in full.",
    "wrong-audience": "The call is made out to another server.",
    "wrong-attestation": "The call proof belongs to another attestation.",
    "wrong-delegation": "The call proof belongs to another delegation.",
    "method-mismatch": "The method is not the one that was signed.",
    "tool-mismatch": "The tool is not the one that was signed.",
    "params-mismatch": "The parameters are not the ones that were signed.",
    "meta-mismatch": "The metadata is not what was signed.",
    "provenance-mismatch": "The receipts or the cause that came with the call are not those that the call proof names.",
    "replay": "This very call was made before; sign a new one.",
    "no-reference": "The verifier has no reference value for a component of this agent; its operator must add one or write `any`.",
    "component-missing": "The agent does not show a component that the verifier requires.",
    "grade-too-low": "A component of the agent is measured more weakly than the verifier requires.",
    "state-mismatch": "A component of the agent is not in a state that the verifier accepts.",
    "platform-missing": "The verifier lets this agent in only with a quote of its machine's TPM, and the attestation has none.",
    "unknown-platform": "The quote is by a key that this verifier does not pin for this agent.",
    "platform-signature": "The signature of the quote does not verify.",
    "platform-binding": "The quote was made over other claims than those of the attestation that it stands in.",
    "platform-state": "The machine was not started in a state that the verifier accepts.",
    "unknown-root": "The chain does not start at a delegation root that this verifier pins.",
    "chain-signature": "A token of the chain is not signed by the key that its parent confirms.",
    "chain-linkage": "A token of the chain does not point to its parent.",
    "chain-depth": "The chain is deeper than one of its tokens allows.",
    "chain-lifetime": "A token of the chain outlives its parent.",
    "widened": "A token of the chain grants what its parent does not.",
    "root-scope": "The root grants a tool, or releases a label, that its key may not speak for.",
    "holder-role": "A token of the chain is held by a key that has another role in this verifier's configuration.",
    "holder-mismatch": "The delegation is held by another key than the one that makes the call.",
    "holder-attestation": (
        "A token of the chain was derived under a pin of its signer's state, and brings no attestation of his that holds; he must derive it anew."
    ),
    "state-pinned": "Somebody who holds the chain is not in the state that it pins.",
    "holder-stale": "The attestation of somebody above in the chain is older than the chain allows; he must derive the token anew.",
    "revoked": "The attestation, or a token of the chain, was taken back by whoever keeps its status.",
    "status-unknown": "No fresh status list says whether the attestation, or a token of the chain, still counts.",
    "tool-not-granted": "The delegation does not grant this tool of this server.",
    "arguments-not-granted": "The delegation grants the tool, but not with these arguments.",
    "method-not-granted": "The delegation grants no tool of this server, and so no other method of it.",
    "unknown-cause": "The call names as its cause a decision of no log that this verifier pins.",
    "cause-not-in-chain": (
        "The call is made on behalf of somebody who did not delegate it: its chain does not pass through the key of its cause."
    ),
    "origin-not-granted": "The delegation lets its holder call on somebody's behalf only, and the call names no cause.",
    "bad-declassification": "A declassification is not by an owner of its labels, or is made out to another call.",
    "declassification-used": "A declassification was used before; it serves one call.",
    "flow-not-granted": (
        "The agent has seen data that may not flow to this tool: the delegation does not release its labels, or the tool does not take them."
    ),
    "lineage-required": (
        "The tool asks for the lineage of what reaches it, and the agent's signer is not one that this verifier accepts as keeping it."
    ),
    "policy-denied": "A policy of this server's operator forbids the call, or none permits it.",
    "policy-error": "The policies of this server's operator cannot decide the call, so it does not pass; its operator must see to it.",
    "step-up-required": (
        "The policies of this server's operator ask for more before the call may run: a proof made now, a state measured now, or a person."
    ),
    "log-unavailable": "The verifier cannot write its log, so it lets nothing through; try again later, and if that stays so, its operator must see to it.",
    "not-witnessed": "Too few witnesses have seen this server's log of late, so it lets nothing through; try again later.",
    "outcome-not-logged": "The call ran, but its outcome could not be written to the log; do not repeat it blindly.",
    "server-gone": "The server went away before it answered; whether the call ran is not known.",
    "not-measured": "The agent's state cannot be measured, so nothing can be attested; see the signer's message.",
    "not-signed": "The signer cannot sign: its key, or the agent that holds it, does not answer, the call cannot be bound, or the grant that goes with it cannot be made.",
    "caller-log-unavailable": "The signer cannot write the caller's log, so it lets nothing out.",
    "signer-gone": "There is no signer: it could not be reached or started; `attest signer status` tells more.",
    "no-receipt": "The answer came without a receipt of the server's log, so it is withheld; the call may have run, so do not repeat it blindly.",
    "bad-receipt": "The receipt does not fit the answer, the call or the server's log, so the answer is withheld; the call may have run, so do not repeat it blindly.",
    "trail-unavailable": "The trail of what passes cannot be written, so nothing is asked of the server; whoever runs the trail must see to it.",
    "alert": "A rule of whoever watches this server stopped the message; the alert in the log says which, and why.",
}
# Every reason that a log can name.
REASONS = frozenset(_TOLD) | (frozenset(_MEANINGS) - frozenset(_WIRE))


def wire(reason: str) -> str:
    """Rules 8 and 9: the reason as the caller sees it. KeyError for a reason that is not in the set."""
    if reason not in _TOLD and reason not in _MEANINGS:
        raise KeyError(reason)
    return _TOLD.get(reason, reason)


def reply(reason: str, component: str | None, request_id: Any, shape: str, undeclared: bool = False, step_up: dict[str, Any] | None = None) -> bytes:
    """Rules 1 to 4, 15 and 16; `request_id` is None where the message could not be read or has none."""
    told = wire(reason)
    if told != reason:  # rule 8: no component either
        component = None
    data: dict[str, Any] = {"reason": told} if component is None else {"component": component, "reason": told}
    data |= step_up or {}
    about = told if component is None else f"{told}, {component}"
    text = f"attest refused this call ({about}). {_MEANINGS[told]}"
    message: dict[str, Any] = {"id": request_id, "jsonrpc": "2.0"}
    if shape == "tool-result" and request_id is not None:
        content = [{"text": text, "type": "text"}]
        message["result"] = {"_meta": {MEMBER: data}, "content": content, "isError": True, "resultType": "complete"}
    else:
        code = HEADER_MISMATCH if reason == "header-mismatch" else CODE
        if undeclared and reason == "no-proof":
            code, data["requiredCapabilities"] = MISSING_CAPABILITY, {"extensions": {EXTENSION: {}}}
        message["error"] = {"code": float(code), "data": data, "message": text}
    return canonical(message)
