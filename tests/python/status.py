"""Status lists (spec/status.md): the claim, the list's token, and what a place in it means for a call."""

import zlib
from dataclasses import dataclass
from typing import Any

from forms import Refused, b64_decode, check, members, name, need, text, whole
from strict_json import FormError
from trust import MAX_STATUS_AGE, Trust
from tokens import Token, read_token

MAX_LIST, MAX_LIST_TOKEN = 1 << 20, 2 << 20


class StatusList(Token):
    typ, most = "statuslist+jwt", MAX_LIST_TOKEN

    def claims(self) -> None:
        claims = members(self.payload, ("iat", "status_list", "sub"), ("exp", "ttl"))
        self.iat, self.uri = whole(claims["iat"]), name(claims["sub"])
        self.exp = whole(claims["exp"]) if "exp" in claims else None
        self.ttl = whole(claims["ttl"]) if "ttl" in claims else None
        need(self.ttl != 0 and (self.exp is None or self.exp > self.iat))
        inner = members(claims["status_list"], ("bits", "lst"))
        self.bits = whole(inner["bits"])
        need(self.bits in (1, 2, 4, 8))
        self.places = _inflate(b64_decode(text(inner["lst"])))

    def standing(self, index: int) -> int | None:
        """Rule 7: the lowest bits of a byte come first."""
        byte, within = divmod(index, 8 // self.bits)
        return None if byte >= len(self.places) else self.places[byte] >> within * self.bits & (1 << self.bits) - 1

    def marked(self) -> list[tuple[int, int]]:
        per = 8 // self.bits
        places = (i for n, byte in enumerate(self.places) if byte for i in range(n * per, (n + 1) * per))
        return [(i, s) for i in places if (s := self.standing(i))]

    def fresh_until(self, trust: Trust) -> int:
        """Rule 9."""
        until = self.iat + min(trust.status_age, MAX_STATUS_AGE if self.ttl is None else self.ttl)
        return until if self.exp is None else min(until, self.exp)


def _inflate(stream: bytes) -> bytes:
    """Rule 6: one ZLIB stream, all of it, of 1 byte to 1 MiB."""
    reader = zlib.decompressobj()
    try:
        places = reader.decompress(stream, MAX_LIST + 1)
        # What just fits may leave the end of the stream unread.
        places += reader.decompress(reader.unconsumed_tail, 1) if not reader.eof else b""
    except zlib.error:
        raise FormError from None
    need(reader.eof and not reader.unused_data and 1 <= len(places) <= MAX_LIST)
    return places


@dataclass
class Statuses:
    """The lists that are held, by name."""

    trust: Trust
    lists: dict[str, StatusList]

    def take(self, uri: str, token: str, now: int) -> None:
        """Rules 10 and 11: Refused says why not, in the words of vectors/README.md."""
        taken: StatusList = read_token(StatusList, token, "list")
        check(taken.verifies(self.trust.statuses[uri]), "signature")
        check(taken.uri == uri, "other-list")
        check(taken.iat <= now + self.trust.skew, "future")
        check(uri not in self.lists or self.lists[uri].iat <= taken.iat, "older")
        self.lists[uri] = taken

    def judge(self, place: tuple[int, str] | None, about: str, level: str, now: int) -> None:
        """Rules 12 to 15."""
        if place is None:
            return
        index, uri = place
        check(uri in self.trust.statuses, "status-unknown", about)
        held = self.lists.get(uri)
        standing = 0 if held is None else held.standing(index)
        check(standing is not None, "status-unknown", about)
        check(standing == 0, "revoked", about)
        fresh = held is not None and held.fresh_until(self.trust) + self.trust.skew > now
        check(fresh or level in self.trust.stale, "status-unknown", about)


def run_list(header: dict[str, str], body: bytes, trust: Trust, lists: str) -> dict[str, Any]:
    uri = "https://status.example/a"
    statuses = read_lists(trust, lists)
    try:
        statuses.take(uri, body.decode("utf-8"), int(header["now"]))
    except Refused as refused:
        return {"expect": refused.reason}
    marked = statuses.lists[uri].marked()
    return {"expect": "accept", "marked": " ".join(f"{i}:{s}" for i, s in marked) or "none"}


def read_lists(trust: Trust, lines: str) -> Statuses:
    statuses = Statuses(trust, {})
    for line in lines.splitlines():
        uri, _, token = line.partition(" ")
        statuses.take(uri, token, 1_800_000_000)
    return statuses
