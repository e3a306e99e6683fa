"""What passed between host and server, and what rules made of it (spec/seen.md, spec/alert.md)."""

import re
from typing import Any, Callable

from forms import Refused, array, b64_decode, check, digest, name, need, sha256, whole
from strict_json import FormError, canonical, in_order
from tokens import COMPONENTS

Form = Callable[[Any], Any]
_WORD = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_MARKS = ("addressed", "bidi", "encoded", "escape", "invisible", "markup", "secret-path")


def one_of(words: Any) -> Form:
    def form(value: Any) -> None:
        need(isinstance(value, str) and value in words)

    return form


def session(value: Any) -> None:
    b64_decode(value, 16)


def true(value: Any) -> None:
    need(value is True)


def _word(value: Any) -> None:
    need(isinstance(value, str) and _WORD.fullmatch(value) is not None)


def _plain(value: Any) -> str:
    need(isinstance(value, str) and not any(c <= "\x1f" or "\x7f" <= c <= "\x9f" for c in value))
    return value


def _text(value: Any) -> None:
    """Rule 5."""
    need(len(_plain(value)) <= 128)


def _ascending(items: list[Any]) -> None:
    need(all(a < b for a, b in zip(items, items[1:])))


def _some(value: Any, most: int) -> list[Any]:
    """Rule 3: an array that is empty is left out."""
    need(1 <= len(array(value)) <= most)
    return value


def _outside(value: Any) -> None:
    for item in _some(value, 8):
        need(len(_plain(item)) <= 256)


def _destinations(value: Any) -> None:
    for item in _some(value, 16):
        need(1 <= len(_plain(item).encode("utf-8")) <= 253)
        need(not any(c == " " or "A" <= c <= "Z" for c in item))
    _ascending([item.encode("utf-8") for item in value])


def _can(value: Any) -> None:
    for item in _some(value, 3):
        need(item in ("danger", "in", "out"))
    _ascending(value)


def _components(value: Any) -> None:
    for item in _some(value, len(COMPONENTS)):
        need(isinstance(item, str) and item in COMPONENTS)
    _ascending(value)


def _marks(value: Any) -> None:
    need(isinstance(value, dict) and len(value) > 0)
    for word, count in value.items():
        need(word in _MARKS and 1 <= whole(count) < 2**32)


_STATUSES = ("result", "tool-error", "error", "cancelled", "unknown")
_TO = {"destinations": _destinations, "more": true}
_CALLED = {"method": name, "tool": name}
# The table "Kinds": members that must be there with their forms, and those that may.
_KINDS: dict[str, tuple[dict[str, Form], dict[str, Form]]] = {
    "server": ({}, {"name": _text, "version": _text, "era": _text, "how": digest, "host": _text, "key": digest, "marks": _marks}),
    "tool": ({"tool": name, "description": digest, "schema": digest}, {"marks": _marks, "can": _can}),
    "tool-gone": ({"tool": name}, {}),
    "call": (
        {"call": digest, "arguments": digest, "size": whole, "shape": digest},
        _CALLED | _TO | {"outside": _outside, "marks": _marks, "notification": true},
    ),
    "read": ({"call": digest, "method": name, "name": digest, "size": whole}, _TO),
    "answer": (
        {"call": digest, "status": one_of(_STATUSES), "size": whole, "latency": whole},
        _TO | {"result": digest, "marks": _marks, "held": true},
    ),
    "asked": ({"method": name, "size": whole}, {"call": digest, "marks": _marks}),
    "refused": ({"reason": _word}, _CALLED | {"call": digest}),
    "state": ({"components": _components}, {}),
    "opaque": ({"from": one_of(("server", "client")), "size": whole}, {}),
}


def check_event(event: Any) -> None:
    """Rules 2 to 6."""
    check(isinstance(event, dict), "invalid", "event")
    check("what" in event, "missing", "what")
    what = event["what"]
    check(isinstance(what, str) and what in _KINDS, "invalid", "what")
    required, optional = _KINDS[what]
    required = required | {"session": session, "server": name}
    if "tool" in optional:
        check("tool" in event or "method" in event, "missing", "tool")
        check(not ("tool" in event and "method" in event), "invalid", "event")
    for member in required:
        check(member in event, "missing", member)
    for member, value in event.items():
        form = (required | optional).get(member)
        if member == "what":
            continue
        check(form is not None, "invalid", "event")
        try:
            form(value)
        except FormError:
            raise Refused("invalid", member) from None
    if what == "answer" and "marks" not in event:
        for member in _TO:
            check(member not in event, "invalid", member)


def _entries(value: Any) -> None:
    _ascending([whole(item) for item in _some(value, 16)])


def _reason(value: Any) -> None:
    need(1 <= len(_plain(value).encode("utf-8")) <= 512)


# alert.md
ALERT: tuple[dict[str, Form], dict[str, Form]] = (
    {
        "action": one_of(("note", "label", "hold", "refuse")),
        "entries": _entries,
        "reason": _reason,
        "rule": _word,
        "server": name,
        "session": session,
        "severity": one_of(("info", "low", "medium", "high", "critical")),
        "time": whole,
    },
    {"call": digest, "tool": name},
)


def shape(value: Any) -> str:
    """Rule 7."""
    return sha256(_shape(value))


def _shape(value: Any) -> bytes:
    if value is None:
        return b"0"
    if isinstance(value, bool):
        return b"b"
    if isinstance(value, float):
        return b"n"
    if isinstance(value, str):
        return b"s"
    if isinstance(value, list):
        return b"[" + b"".join(sorted({_shape(item) for item in value})) + b"]"
    return b"{" + b"".join(canonical(key) + b":" + _shape(value[key]) + b"," for key in in_order(value)) + b"}"
