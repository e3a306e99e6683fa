"""Encodings and the forms of single values (spec/digest.md, spec/jws.md rules 7 to 11)."""

import base64
import hashlib
import re
from contextlib import contextmanager
from typing import Any, Iterable, Iterator

from strict_json import FormError, canonical

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


class Refused(Exception):
    """A check failed: a reason of spec/refusals.md, and what it is about (spec/vectors/README.md)."""

    def __init__(self, reason: str, about: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.about = about


def check(condition: bool, reason: str, about: str | None = None) -> None:
    """A numbered check: what must hold, else the reason."""
    if not condition:
        raise Refused(reason, about)


@contextmanager
def reading(reason: str, about: str | None = None) -> Iterator[None]:
    """A step of reading: what is not of its form in it is refused with this reason."""
    try:
        yield
    except FormError:
        raise Refused(reason, about) from None


def need(condition: bool) -> None:
    """Part of a form."""
    if not condition:
        raise FormError


def b64_decode(text: Any, size: int | None = None) -> bytes:
    """digest.md, rules 1 to 3: one spelling per byte string."""
    need(isinstance(text, str) and _ALPHABET.fullmatch(text) is not None and len(text) % 4 != 1)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(b64_encode(data) == text)  # unused bits that are not zero
    need(size is None or len(data) == size)
    return data


def b64_encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def sha256(data: bytes) -> str:
    """digest.md, rule 4: a digest as it is written."""
    return b64_encode(hashlib.sha256(data).digest())


def commitment(salt: bytes, value: Any) -> str:
    """digest.md, rule 7."""
    return sha256(salt + canonical(value))


def digest(value: Any) -> str:
    b64_decode(value, 32)
    return value


def text(value: Any) -> str:
    need(isinstance(value, str))
    return value


def name(value: Any) -> str:
    """jws.md, rule 8."""
    need(isinstance(value, str) and 1 <= len(value.encode("utf-8")) <= 256)
    need(not any(c <= "\x1f" or "\x7f" <= c <= "\x9f" for c in value))
    return value


def qualified(value: Any) -> tuple[str, str]:
    """delegation.md, rule 7 (and trust.md, rule 5): audience and tool."""
    need(isinstance(value, str) and "#" in value)
    audience, _, tool = value.partition("#")
    return name(audience), name(tool)


def whole(value: Any) -> int:
    """jws.md, rule 9."""
    need(type(value) is float and value.is_integer() and 0 <= value < 2**53)
    return int(value)


def array(value: Any) -> list[Any]:
    need(isinstance(value, list))
    return value


def members(value: Any, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """An object of exactly these members."""
    need(isinstance(value, dict) and set(required) <= set(value) <= set(required) | set(optional))
    return value
