"""Strict JSON reader and canonical writer (spec/json.md).

Values are None, bool, float, str, list and dict; every number is a float, so `type(v) is float` tells numbers from booleans.
"""

import re
from typing import Any

MAX_DEPTH = 64
_SHORT = dict(zip(b'"\\/bfnrt', '"\\/\b\f\n\r\t'))
_LITERALS = {b"true": True, b"false": False, b"null": None}
# Rules 2 and 8: the longest spelling of a number. Its last byte is no digit where a fraction or an exponent is cut off.
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:(?<!\.)[eE][+-]?[0-9]*)?")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')


class FormError(Exception):
    """A value is not of its form. Which reason code that is, only the place knows."""


class JsonDefect(FormError):
    """The first defect of a text; `reason` is one of the reason codes of json.md."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _need(condition: bool) -> None:
    if not condition:
        raise JsonDefect("not-strict-json")


def read(text: bytes) -> Any:
    """The one value that `text` holds (rules 1 to 8). Raises JsonDefect."""
    # Rule 1 needs no code of its own: EF is neither a blank nor the start of a value.
    reader = _Reader(text)
    value = reader.value(1)
    _need(reader.peek() == b"")
    return value


class _Reader:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> bytes:
        """The next byte that is no blank (rule 2), not consumed; empty at the end."""
        while self.text[self.at : self.at + 1] in (b" ", b"\t", b"\n", b"\r"):
            self.at += 1
        return self.text[self.at : self.at + 1]

    def took(self, byte: bytes) -> bool:
        found = self.peek() == byte
        self.at += found
        return found

    def value(self, depth: int) -> Any:
        byte = self.peek()
        if byte in (b"{", b"["):
            if depth > MAX_DEPTH:  # rule 7: when it opens, before its content
                raise JsonDefect("too-large")
            self.at += 1
            return self.object(depth) if byte == b"{" else self.array(depth)
        if self.took(b'"'):
            return self.string()
        for literal, meaning in _LITERALS.items():
            if self.text.startswith(literal, self.at):
                self.at += len(literal)
                return meaning
        return self.number()

    def array(self, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self.took(b"]"):
            _need(not items or self.took(b","))
            items.append(self.value(depth + 1))
        return items

    def object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        repeated = False
        while not self.took(b"}"):
            _need(not members or self.took(b","))
            _need(self.took(b'"'))
            name = self.string()
            _need(self.took(b":"))
            repeated = repeated or name in members
            members[name] = self.value(depth + 1)
        if repeated:  # rule 8: met when the object closes
            raise JsonDefect("duplicate-member")
        return members

    def string(self) -> str:
        """The opening quotation mark is consumed already."""
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            assert plain is not None  # the pattern matches the empty text
            self.at = plain.end() + 1
            try:
                # Rule 3. Python's decoder refuses overlong forms, surrogates and what lies above U+10FFFF.
                parts.append(plain.group().decode("utf-8"))
            except UnicodeDecodeError:
                raise JsonDefect("not-strict-json") from None
            end = self.text[self.at - 1 : self.at]
            _need(end in (b'"', b"\\"))
            if end == b'"':
                return "".join(parts)
            parts.append(self.escape())

    def escape(self) -> str:
        """Rule 4; the backslash is consumed already."""
        kind = self.text[self.at : self.at + 1]
        self.at += 1
        if kind != b"u":
            _need(kind != b"" and kind[0] in _SHORT)
            return _SHORT[kind[0]]
        unit = self.unit()
        if 0xD800 <= unit <= 0xDFFF:
            _need(unit <= 0xDBFF and self.text.startswith(b"\\u", self.at))
            self.at += 2
            low = self.unit()
            _need(0xDC00 <= low <= 0xDFFF)
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        return chr(unit)

    def unit(self) -> int:
        digits = _HEX4.match(self.text, self.at)
        _need(digits is not None)
        self.at += 4
        return int(self.text[self.at - 4 : self.at], 16)

    def number(self) -> float:
        found = _NUMBER.match(self.text, self.at)
        if found is None or not found.group()[-1:].isdigit():
            raise JsonDefect("not-strict-json")
        self.at = found.end()
        value = float(found.group())
        if 2.0**53 <= abs(value) < 1e21 or abs(value) == float("inf"):  # rule 6
            raise JsonDefect("number-range")
        return value if value != 0 else 0.0  # negative zero is zero


def canonical(value: Any) -> bytes:
    """Canonical form (rules 9 to 11)."""
    return _write(value).encode("utf-8")


def equal(a: Any, b: Any) -> bool:
    """Rule 13. Python's == would take True for 1.0."""
    return canonical(a) == canonical(b)


def in_order(names: Any) -> list[str]:
    """Names in canonical order: by UTF-16 code units (rule 9)."""
    return sorted(names, key=lambda name: name.encode("utf-16-be"))


def _write(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return _write_string(value)
    if isinstance(value, list):
        return "[" + ",".join(_write(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_write_string(name)}:{_write(value[name])}" for name in in_order(value)) + "}"
    return _write_number(value)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def _write_string(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def _write_number(value: float) -> str:
    """ECMAScript's Number::toString, from the shortest digits that Python's repr gives (rule 11)."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the power of n.
    n = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return f"{sign}{digits[:n]}.{digits[n:]}"
    if -6 < n <= 0:
        return f"{sign}0.{'0' * -n}{digits}"
    tail = f".{digits[1:]}" if k > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if n > 0 else '-'}{abs(n - 1)}"
