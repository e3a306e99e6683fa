"""Comparison rules (spec/comparison.md): what a disclosed text or list may differ in."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Callable

from forms import array, digest, members, need, text, whole
from strict_json import FormError, canonical, read

MAX_DISCLOSED = 262144
MAX_SLOTS, MAX_PATTERNS, MAX_PATTERN = 64, 64, 256
_HOUR = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DATE = "[0-9]{4}-(?:0[1-9]|1[0-2])-[0-9]{2}"
# Rule 5: each slot as long as it can be; a possessive end keeps it from giving back.
_SLOTS = {
    "date": _DATE,
    "time": f"{_HOUR}(?::[0-5][0-9])?+",
    "datetime": f"{_DATE}T{_HOUR}:[0-5][0-9](?:\\.[0-9]{{1,9}})?+(?:Z|[+-]{_HOUR})",
    "uuid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "number": "[0-9]{1,20}+",
    "word": "[A-Za-z0-9_-]{1,64}+",
}
_GOES_ON = {"time": re.compile(":"), "number": re.compile("[0-9]"), "word": re.compile("[A-Za-z0-9_-]")}


@dataclass
class Template:
    pattern: re.Pattern[str]
    days: list[bool]  # whether the slot begins with a date, which has to be a day that there is

    def fits(self, disclosed: str) -> bool:
        found = self.pattern.fullmatch(disclosed)
        return found is not None and all(_is_day(value[:10]) for value, day in zip(found.groups(), self.days) if day)


def _is_day(value: str) -> bool:
    try:
        # The year 0 is one of the calendar that RFC 3339 uses; Python has none, and 2000 has the same days.
        date.fromisoformat("2000" + value[4:] if value.startswith("0000") else value)
    except ValueError:
        return False
    return True


def read_template(value: Any) -> Template:
    """Rules 4 to 6."""
    need(len(text(value).encode("utf-8")) <= MAX_DISCLOSED)
    before, *rest = value.split("{{")
    parts, days, last = [re.escape(before)], [], None
    need(0 < len(rest) <= MAX_SLOTS)
    for number, piece in enumerate(rest):
        slot, end, behind = piece.partition("}}")
        need(end != "" and slot in _SLOTS)
        need(behind != "" or number == len(rest) - 1)
        need(behind == "" or slot not in _GOES_ON or not _GOES_ON[slot].match(behind))
        parts += [f"({_SLOTS[slot]})", re.escape(behind)]
        days.append(slot.startswith("date"))
    return Template(re.compile("".join(parts)), days)


@dataclass
class Listing:
    kind: Callable[[Any, Callable[[str], bool]], list[Any]]
    patterns: list[re.Pattern[str]]
    common: list[Any]

    def fits(self, disclosed: str) -> bool:
        try:
            value = read(disclosed.encode("utf-8"))
            return canonical(value) == disclosed.encode("utf-8") and self.kind(value, self._named) == self.common
        except FormError:
            return False

    def _named(self, name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in self.patterns)


def read_listing(component: str, value: Any) -> Listing:
    """Rules 7 to 9."""
    members(value, ("like", "may_differ"))
    kinds = {"model-tensors": _tensors, "model-weights": _files, "harness": _files}
    need(component in kinds and len(canonical(value["like"])) <= MAX_DISCLOSED)
    texts = [text(pattern) for pattern in array(value["may_differ"])]
    need(0 < len(texts) <= MAX_PATTERNS and all(1 <= len(t.encode("utf-8")) <= MAX_PATTERN for t in texts))
    patterns = [re.compile(".*".join(re.escape(piece) for piece in t.split("*")), re.DOTALL) for t in texts]
    names: list[str] = []
    kinds[component](value["like"], lambda name: not names.append(name))
    need(all(any(pattern.fullmatch(name) for name in names) for pattern in patterns))
    rule = Listing(kinds[component], patterns, [])
    rule.common = rule.kind(value["like"], rule._named)
    return rule


def _files(value: Any, named: Callable[[str], bool]) -> list[Any]:
    need(len(array(value)) > 0)
    common = []
    for line in value:
        members(line, ("digest", "name", "size"))
        digest(line["digest"])
        common.append([text(line["name"]), whole(line["size"]), None if named(line["name"]) else line["digest"]])
    return common


def _tensors(value: Any, named: Callable[[str], bool]) -> list[Any]:
    need(len(array(value)) > 0)
    common: list[Any] = []
    for line in value:
        members(line, ("file", "header", "tensors"))
        need(len(array(line["tensors"])) > 0)
        tensors = []
        for tensor in line["tensors"]:
            members(tensor, ("digest", "dtype", "name", "shape"))
            digest(tensor["digest"])
            shape = [whole(length) for length in array(tensor["shape"])]
            free = named(text(tensor["name"]))
            tensors.append([tensor["name"], text(tensor["dtype"]), shape, None if free else tensor["digest"]])
        common.append([text(line["file"]), digest(line["header"]), tensors])
    return common
