"""What of people's approvals counts, and for how many (spec/approval.md)."""

from collections import Counter
from typing import Any

from forms import Refused, b64_decode, commitment, digest, members, name
from keys import Key, read_key
from strict_json import read
from tokens import Token, read_token


class Approval(Token):
    """Rule 1."""

    longest, typ = 86_400, "mcp-approval+jwt"

    def claims(self) -> None:
        claims = members(self.payload, ("aud", "exp", "iat", "jti", "key", "leaf", "params", "request", "state", "tool"))
        self._times()
        b64_decode(claims["jti"], 16)
        self.audience, self.tool, self.jti = name(claims["aud"]), name(claims["tool"]), claims["jti"]
        self.key, self.leaf, self.params, self.request, self.state = (digest(claims[n]) for n in ("key", "leaf", "params", "request", "state"))


def count(body: bytes, now: int) -> tuple[str, str]:
    """Groups with the number of their persons, and what is left out with why."""
    value = read(body)
    keys: dict[str, tuple[Key, Any]] = {}
    for person in value["approvers"]:
        for jwk in person["keys"]:
            key = read_key(jwk)
            keys[key.thumbprint] = key, person
    groups: Counter[str] = Counter()
    persons: set[str] = set()
    left = []
    for n, approval in enumerate(value["approvals"]):
        why, person = _holds(approval, value["asked"], keys, value["skew"], now)
        if not why and person["name"] in persons:
            why = "same-person"  # rule 6
        if why:
            left.append(f"{n} {why}")
            continue
        persons.add(person["name"])
        groups.update(set(person["groups"]))
    return " ".join(f"{group} {number}" for group, number in sorted(groups.items())) or "(nobody)", " ".join(left)


def _holds(approval: Any, asked: Any, keys: dict[str, tuple[Key, Any]], skew: int, now: int) -> tuple[str, Any]:
    """Rule 7, in its order."""
    try:
        token: Approval = read_token(Approval, approval["token"], "")
    except Refused:
        return "form", None
    if token.kid not in keys:
        return "unknown-approver", None
    key, person = keys[token.kid]
    salted = commitment(b64_decode(approval["salt"], 16), read(asked["params"].encode()))
    checks = (
        (token.verifies(key), "signature"),
        (now < token.exp + skew, "expired"),
        (token.iat <= now + skew, "not-yet-valid"),
        (0 < token.exp - token.iat <= token.longest, "life-too-long"),
        (token.audience == asked["audience"], "audience"),
        (token.key == asked["key"], "caller"),
        (token.leaf == asked["leaf"], "leaf"),
        (token.state == asked["state"], "state"),
        (token.tool == asked["tool"], "tool"),
        (token.params == salted, "params"),
        (token.request == asked["request"], "request"),
        (asked["agent"] not in person["operates"] and token.kid != asked["key"], "own-call"),
    )
    return next((why for holds, why in checks if not holds), ""), person
