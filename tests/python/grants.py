"""What a delegation says besides its tools: flow and pins (spec/flow.md, pins.md)."""

from dataclasses import dataclass
from typing import Any

from forms import array, digest, members, need, qualified, whole
from labels import Labels, read_some

COMPONENTS = ("config", "harness", "model-ref", "model-tensors", "model-weights", "signer", "system-prompt", "tool-manifest")
Pinned = dict[str, list[str]]


@dataclass
class Flow:
    origin: bool
    release: dict[str | None, Labels]


PUBLIC = Flow(True, {})


def read_flow(value: Any) -> Flow:
    """flow.md, rules 1 to 4."""
    members(value, ("release",), ("origin",))
    need(value.get("origin", "self") == "self")
    need(isinstance(value["release"], dict) and len(value["release"]) <= 256)
    for tool in value["release"]:
        need(tool == "*" or bool(qualified(tool)))
    return Flow("origin" in value, {tool: read_some(labels) for tool, labels in value["release"].items()})


@dataclass
class Pins:
    holder: Pinned
    below: Pinned
    max_age: int


def read_pins(value: Any) -> Pins:
    """pins.md, rules 1 to 4."""
    members(value, ("max_age",), ("below", "holder"))
    holder, below = (_pinned(value[who]) if who in value else {} for who in ("holder", "below"))
    need(bool(holder or below) and 1 <= whole(value["max_age"]) <= 7_776_000)
    return Pins(holder, below, whole(value["max_age"]))


def _pinned(value: Any) -> Pinned:
    need(isinstance(value, dict) and 1 <= len(value) <= 16)
    for component, digests in value.items():
        need(component in COMPONENTS and 1 <= len(array(digests)) <= 16)
        for one in digests:
            digest(one)
    return value
