"""Entries of a log, one by one (spec/entry.md)."""

from typing import Any

from forms import Refused, check, digest, name, need, whole
from labels import read_some
from notes import Vkey, read_vkey
from refusals import REASONS
from strict_json import FormError, canonical, read
from tokens import COMPONENTS
from watched import ALERT, Form, check_event, one_of, session, true

_LONGEST = 65_535
_STATUSES = ("result", "tool-error", "error", "cancelled", "unknown")
_DEFECTS = {"missing": "no-receipt"} | dict.fromkeys(
    ("form", "token", "proof", "log", "checkpoint", "signature", "index", "entry", "call", "audience", "params", "policy", "status", "result"),
    "bad-receipt",
)


def _chain(value: Any) -> None:
    need(isinstance(value, list) and 1 <= len(value) <= 9)
    for item in value:
        digest(item)


def _hashes(most: int) -> Form:
    def form(value: Any) -> None:
        need(isinstance(value, list) and 1 <= len(value) <= most)
        for item in value:
            digest(item)

    return form


def _method(value: Any) -> None:
    need(name(value) != "tools/call")


def _positive(value: Any) -> None:
    need(whole(value) >= 1)


def _log_key(value: Any) -> Vkey:
    need(isinstance(value, str))
    try:
        key = read_vkey(value)
    except Refused:
        raise FormError from None
    need(key.kind == 1)
    return key


# The tables of entry.md: each member with its form; those that may be absent apart.
_WRITER = {"time": whole, "version": name}
_CALLED = {"method": _method, "tool": name}
_RESTS = {"attestation": digest, "context": session, "delegation": _chain, "params": digest}
_LINEAGE = {"cause": digest, "declassified": _hashes(4), "labels": read_some, "receipts": _hashes(16)}
_DECISION = {"agent": name, "audience": name, "call": digest, "key": digest, "policy": digest, "time": whole}
_TYPES: dict[str, tuple[dict[str, Form], dict[str, Form]]] = {
    "start": ({"audience": name, "policy": digest} | _WRITER, {"shared": true}),
    "config": ({"audience": name, "policy": digest, "time": whole}, {}),
    "allow": (_DECISION | _RESTS, _CALLED | _LINEAGE | {"notification": true, "facts": digest, "approved": _hashes(64)}),
    "deny": (_DECISION | {"reason": one_of(REASONS)}, _CALLED | {"about": name, "facts": digest}),
    "outcome": ({"call": digest, "status": one_of(_STATUSES), "time": whole}, {"audience": name, "result": digest}),
    "refused": ({"audience": name, "count": _positive, "reason": one_of(REASONS), "since": whole, "time": whole}, {}),
    "context": ({"agent": name, "context": session} | _WRITER, {}),
    "call": (_RESTS | {"audience": name, "call": digest, "time": whole}, _CALLED | {"notification": true}),
    "receipt": ({"audience": name, "call": digest, "index": whole, "log": name, "receipt": digest, "size": whole, "time": whole}, {}),
    "no receipt": ({"about": one_of(_DEFECTS), "audience": name, "call": digest, "time": whole}, {"receipt": digest}),
    "trail": ({"session": session} | _WRITER, {}),
    "seen": ({"event": check_event, "time": whole}, {}),
    "alert": ALERT,
    "key": ({"key": _log_key, "previous": _log_key, "time": whole}, {}),
    "accepted": (
        {"agent": name, "audience": name, "by": name, "component": one_of(COMPONENTS), "digest": digest, "reason": name, "since": whole, "time": whole},
        {},
    ),
    "closed": ({"alert": whole, "audience": name, "by": name, "reason": name, "since": whole, "time": whole}, {}),
    "used": ({"audience": name, "call": digest, "time": whole, "token": digest}, {}),
    "adopted": ({"size": whole, "time": whole}, {}),
    "forgotten": ({"before": whole, "time": whole}, {}),
}


def read_entry(body: bytes) -> dict[str, Any]:
    """Rules 1 to 8. Refused says why, and which member, in the words of vectors/README.md."""
    check(len(body) <= _LONGEST, "too-long")
    entry = read(body)
    check(isinstance(entry, dict), "not-an-object")
    check(canonical(entry) == body, "not-canonical")
    check("type" in entry, "missing", "type")
    kind, fixed = entry["type"], {"type"}
    if kind == "decision":
        fixed.add("decision")
        check("decision" in entry, "missing", "decision")
        kind = entry["decision"]
        check(kind in ("allow", "deny"), "invalid", "decision")
    else:
        named = isinstance(kind, str) and kind in _TYPES
        check(named and kind not in ("allow", "deny", "no receipt"), "invalid", "type")
    if kind == "receipt":
        fixed.add("check")
        check("check" in entry, "missing", "check")
        kind = "receipt" if entry["check"] == "ok" else "no receipt"
    required, optional = _TYPES[kind]
    for member in entry:
        check(member in fixed or member in required or member in optional, "unknown", member)
    if "method" in optional:
        check(not ("tool" in entry and "method" in entry), "unknown", "method")
        check("tool" in entry or "method" in entry, "missing", "tool")
    for member, form in (required | optional).items():
        if member not in entry:
            check(member not in required, "missing", member)
            continue
        try:
            form(entry[member])
        except FormError:
            raise Refused("invalid", member) from None
    check(not ("notification" in entry and "tool" in entry), "invalid", "notification")
    if kind == "receipt":
        check(entry["index"] < entry["size"], "invalid", "index")
    if kind == "no receipt":
        check(_DEFECTS[entry["about"]] == entry["check"], "invalid", "check")
    if kind == "key":
        key, previous = _log_key(entry["key"]), _log_key(entry["previous"])
        check(key.name == previous.name and key.key != previous.key, "invalid", "key")
    return entry
