"""Messages: a call, its carrier, what is forwarded (spec/request.md, carrier.md), and answers (spec/response.md)."""

from dataclasses import dataclass
from typing import Any, Collection

from extension import era
from forms import Refused, array, b64_decode, check, commitment, digest, members, name, need, reading, text
from strict_json import JsonDefect, canonical, read

OURS = "io.github.agent-attest/"
CARRIER = OURS + "proof"
CALL_METHOD = "tools/call"
SHORTHAND = "sha256:"
MAX_CHAIN, MAX_TOKENS = 9, 262144
MAX_DISCLOSURES, MAX_DISCLOSED = 4, 262144
MAX_SHOWN, MAX_DECLASSIFICATIONS = 16, 4
_TOP = {"jsonrpc", "id", "method", "params", "result", "error"}
_PARAMS = {"_meta", "arguments", "inputResponses", "name", "requestState", "task"}
_FOLD = {**{ord(c): c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}, 0x17F: "s", 0x212A: "k"}


@dataclass
class Call:
    """A call that passed rules 1 to 8 of request.md, or 13 to 16 for another method than tools/call."""

    message: dict[str, Any]

    @property
    def method(self) -> str:
        return self.message["method"]

    @property
    def tool(self) -> str | None:
        """None for another method than tools/call."""
        return self.params["name"] if self.method == CALL_METHOD else None

    @property
    def params(self) -> dict[str, Any]:
        return self.message.get("params", {})

    @property
    def meta(self) -> dict[str, Any]:
        return self.params.get("_meta", {})

    def signed_params(self) -> dict[str, Any]:
        """call-proof.md, rule 4."""
        return {n: v for n, v in self.params.items() if n != "_meta"}

    def bound(self, names: list[str]) -> dict[str, Any]:
        """The bound members of `_meta` that the call proof names."""
        return {n: v for n, v in self.meta.items() if n in names and standing(n) == "bound"}

    def forward(self, names: list[str]) -> bytes:
        """request.md, rule 11."""
        meta = {n: v for n, v in self.meta.items() if standing(n) == "unbound"} | self.bound(names)
        return canonical({**self.message, "params": {**self.signed_params(), **({"_meta": meta} if meta else {})}})


def standing(member: str) -> str:
    """request.md, "Standing of a member of _meta"; the rows in their order."""
    if member.startswith(OURS):
        return "ours"
    if member in ("progressToken", "traceparent", "tracestate", "baggage"):
        return "unbound"
    labels = member.partition("/")[0].split(".") if "/" in member else []
    return "unbound" if len(labels) > 1 and labels[1] in ("modelcontextprotocol", "mcp") else "bound"


def plain(message: dict[str, Any]) -> bool:
    """request.md, rule 1: no member of JSON-RPC's in another case."""
    return all(member in _TOP or member.translate(_FOLD) not in _TOP for member in message)


def read_message(text: bytes, attested: Collection[str] = ()) -> Call | None:
    """json.md and request.md, "Classification". None: no call, it passes as it came. `attested`: methods that need a proof."""
    try:
        message = read(text)
    except JsonDefect as defect:
        raise Refused(defect.reason) from None
    check(isinstance(message, dict), "not-strict-json")
    check(plain(message), "bad-request")  # rule 1
    check("__proto__" not in message, "bad-request")
    method = message.get("method")
    shown = [*message, method] if isinstance(method, str) else [*message]
    check(not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for text in shown for c in text), "bad-request")  # rule 1
    check(not isinstance(method, (list, dict)), "bad-request")  # rule 2
    if method != CALL_METHOD:
        return _other_method(message) if isinstance(method, str) and method in attested else None
    check(set(message) <= _TOP - {"result", "error"}, "bad-request")  # rule 3
    check(_is_id(message.get("id")), "no-id")  # rule 4
    params = message.get("params")
    with reading("bad-request"):
        members(params, (), _PARAMS)  # rules 5 and 6
        need(all(isinstance(params.get(member, {}), dict) for member in ("arguments", "_meta")))  # rule 7
        name(params.get("name"))  # rule 8
    return Call(message)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is float and abs(value) < 2**53)


def _other_method(message: dict[str, Any]) -> Call:
    """request.md, rules 13 to 16."""
    with reading("bad-request"):
        name(message["method"])
        need(set(message) <= _TOP - {"result", "error"})
    check("id" not in message or _is_id(message["id"]), "no-id")
    params = message.get("params", {})
    with reading("bad-request"):
        need(isinstance(params, dict) and isinstance(params.get("_meta", {}), dict))
    return Call(message)


@dataclass
class Carrier:
    """`short`: `att` and `delegations` are digests of tokens, not tokens."""

    att: str
    delegations: list[str]
    prf: str
    salt: bytes
    short: bool
    disclosed: list[str]
    receipts: list[str]
    cause: str | None
    declassifications: list[tuple[bytes, str]]


def read_carrier(call: Call) -> Carrier:
    """carrier.md, "Reading, in this order"."""
    check(CARRIER in call.meta, "no-proof", "extension" if era(call.message) == "modern" else None)
    with reading("bad-carrier"):
        value = members(call.meta[CARRIER], ("att", "del", "prf", "salt"), ("cause", "dcl", "dis", "grt", "rcp"))
        receipts, grant = _texts(value, "rcp", MAX_SHOWN), _texts(value, "grt", MAX_CHAIN)
        cause = text(value["cause"]) if "cause" in value else None
        pairs = [members(one, ("salt", "token")) for one in array(value.get("dcl", []))]
        need(("dcl" in value) <= (1 <= len(pairs) <= MAX_DECLASSIFICATIONS))
        declassifications = [(b64_decode(one["salt"], 16), text(one["token"])) for one in pairs]
        need(len(array(value["del"])) > 0)
        check(len(value["del"]) <= MAX_CHAIN, "too-large")
        texts = [value["att"], value["prf"], *value["del"]]
        need(all(isinstance(text, str) for text in texts))
        salt = b64_decode(value["salt"], 16)
        att, *delegations = _shorthands([value["att"], *value["del"]])
        short = att != value["att"]
        disclosed = [text(t) for t in array(value["dis"])] if "dis" in value else []
        need("dis" not in value or (1 <= len(disclosed) <= MAX_DISCLOSURES and not short))
    texts += [*receipts, *grant, *([] if cause is None else [cause]), *(token for _, token in declassifications)]
    check(sum(len(text.encode("utf-8")) for text in texts) <= MAX_TOKENS, "too-large")  # rule 3
    check(sum(len(t.encode("utf-8")) for t in disclosed) <= MAX_DISCLOSED, "too-large")  # rule 11
    return Carrier(att, delegations, value["prf"], salt, short, disclosed, receipts, cause, declassifications)


def _texts(value: dict[str, Any], member: str, most: int) -> list[str]:
    """A list of strings that is absent or not empty."""
    texts = [text(one) for one in array(value.get(member, []))]
    need(member not in value or 1 <= len(texts) <= most)
    return texts


def _shorthands(tokens: list[str]) -> list[str]:
    """carrier.md, rule 7: the tokens as they are, or the digests of all of them."""
    short = [token.startswith(SHORTHAND) for token in tokens]
    need(all(short) or not any(short))
    return [digest(token.removeprefix(SHORTHAND)) for token in tokens] if short[0] else tokens


def outcome(text: bytes, salt: bytes) -> tuple[str, str | None]:
    """response.md, "Outcome": status and digest of an answer."""
    try:
        message = read(text)
    except JsonDefect:
        return "result", None
    if not isinstance(message, dict):
        return "result", None
    if "result" in message:
        return of_result(message["result"], salt)
    return "error", of_error(message["error"], salt) if "error" in message else None


def of_error(error: Any, salt: bytes) -> str:
    """response.md, rule 7."""
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict):
        others = {member: value for member, value in data.items() if not member.startswith(OURS)}
        error = {n: v for n, v in error.items() if n != "data"} | ({"data": others} if others else {})
    return commitment(salt, error)


def of_result(result: Any, salt: bytes) -> tuple[str, str | None]:
    if not isinstance(result, dict):
        return "result", commitment(salt, result)
    status = "tool-error" if result.get("isError") is True else "result"
    return status, commitment(salt, {n: v for n, v in result.items() if n != "_meta"})


_PLACES = (
    ("result", "_meta"),
    ("error", "data"),
    ("params", "_meta"),
    ("result", "result", "_meta"),
    ("result", "error", "data"),
    ("params", "result", "_meta"),
    ("params", "error", "data"),
)


def clean(text: bytes) -> bytes | None:
    """response.md, rules 4 and 5: what a server's message becomes. None: it passes as it came."""
    try:
        message = read(text)
    except JsonDefect:
        return None
    found = False
    for path in _PLACES:
        place = message
        for step in path:
            place = place.get(step) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            continue
        for member in [m for m in place if m.startswith(OURS)]:
            del place[member]
            found = True
    return canonical(message) if found else None


def mark(text: bytes) -> bytes | None:
    """response.md, rule 8: the message with its result marked as untrusted. None: it passes as it came."""
    try:
        message = read(text)
    except JsonDefect:
        return None
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict):
        return None
    if not isinstance(result.get("_meta"), dict):
        result["_meta"] = {}
    result["_meta"][OURS + "untrusted"] = True
    return canonical(message)
