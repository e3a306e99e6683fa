"""A TPM's quote beside an attestation's claims (spec/platform.md, rules 1 to 8)."""

from dataclasses import dataclass
from typing import Any

from forms import b64_decode, b64_encode, digest, members, need

SELECTION = bytes([0, 0, 0, 1, 0x00, 0x0B, 3, 0xFF, 0, 0])  # of the bank of SHA-256, PCR 0 to 7


@dataclass
class Platform:
    ak: str
    quote: bytes
    signature: bytes
    over: str
    pcrs: str


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        need(len(self.data) >= size)
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def sized(self) -> bytes:
        return self.take(int.from_bytes(self.take(2), "big"))


def read_platform(submods: Any) -> Platform:
    """Rules 1 to 4."""
    platform = members(members(submods, ("platform",))["platform"], ("ak", "format", "quote", "sig"))
    need(platform["format"] == "tpm2-quote/1")
    quote = b64_decode(platform["quote"])
    over, pcrs = _read_quote(quote)
    return Platform(digest(platform["ak"]), quote, b64_decode(platform["sig"], 64), b64_encode(over), b64_encode(pcrs))


def _read_quote(data: bytes) -> tuple[bytes, bytes]:
    """Rules 5 to 8: what it is over, and the digest of the registers."""
    reader = _Reader(data)
    need(reader.take(4) == b"\xffTCG")
    need(reader.take(2) == b"\x80\x18")
    need(len(reader.sized()) <= 66)
    over = reader.sized()
    need(len(over) == 32)
    reader.take(16)
    need(reader.take(1) in (b"\x00", b"\x01"))
    reader.take(8)
    need(reader.take(len(SELECTION)) == SELECTION)
    pcrs = reader.sized()
    need(len(pcrs) == 32 and not reader.data)
    return over, pcrs
