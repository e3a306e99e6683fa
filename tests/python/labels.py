"""Sets of labels, and which labels an answer gets (spec/labels.md). A set is a frozenset; EVERY stands for every label."""

import re
from typing import Any

from forms import array, need
from strict_json import JsonDefect, read

MAX_LABELS = 32
EVERY = frozenset(("*",))
NONE: frozenset[str] = frozenset()
Labels = frozenset[str]
_LABEL = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,63}")


def read_labels(value: Any) -> Labels:
    """Rules 1 and 2."""
    items = array(value)
    need(len(items) <= MAX_LABELS)
    if items == ["*"]:
        return EVERY
    need(all(isinstance(item, str) and _LABEL.fullmatch(item) for item in items))
    need(all(a < b for a, b in zip(items, items[1:])))
    return frozenset(items)


def read_some(value: Any) -> Labels:
    """Where an empty set would look like something and be nothing."""
    labels = read_labels(value)
    need(bool(labels))
    return labels


def union(*sets: Labels) -> Labels:
    """Rule 3."""
    total = NONE.union(*sets)
    return EVERY if "*" in total or len(total) > MAX_LABELS else total


def within(these: Labels, those: Labels) -> bool:
    """Rule 4."""
    return those == EVERY or these <= those


def without(these: Labels, those: Labels) -> Labels:
    """Rule 5."""
    if those == EVERY:
        return NONE
    return these if these == EVERY else these - those


def listed(labels: Labels) -> str:
    return " ".join(sorted(labels))


def label_answer(always: Labels, fields: dict[str, Labels], answer: bytes) -> Labels:
    """Rules 11 to 14."""
    places = {place: _steps(place) for place in fields}
    try:
        message = read(answer)
    except JsonDefect:
        return EVERY
    if not isinstance(message, dict) or "result" not in message:
        return always
    result = message["result"]
    found = [labels for place, labels in fields.items() if _is_in(places[place], result)]
    return union(always, *found, _said(result))


def _steps(place: str) -> list[str]:
    need(place.startswith("/") and re.search("~(?![01])", place) is None)
    return [step.replace("~1", "/").replace("~0", "~") for step in place[1:].split("/")]


def _is_in(steps: list[str], value: Any) -> bool:
    if not steps:
        return value is not None
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        return any(_is_in(rest, inner) for name, inner in value.items() if step in ("*", name))
    if isinstance(value, list):
        return any(_is_in(rest, inner) for at, inner in enumerate(value) if step in ("*", str(at)))
    return False


def _said(result: Any) -> Labels:
    meta = result.get("_meta") if isinstance(result, dict) else None
    if not isinstance(meta, dict) or "ifc" not in meta:
        return NONE
    ifc = meta["ifc"] if isinstance(meta["ifc"], dict) else {}

    def says(name: str, good: str) -> bool:
        said = ifc.get(name)
        return said == good or (isinstance(said, list) and len(said) > 0 and all(one == good for one in said))

    untrusted = NONE if says("integrity", "trusted") else frozenset(("untrusted",))
    return untrusted if says("confidentiality", "public") else untrusted | {"private"}
