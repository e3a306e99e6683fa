"""Tokens: outer form, and the claims of the three types (spec/jws.md, attestation.md, measurement.md, delegation.md, call-proof.md)."""

import re
from dataclasses import dataclass
from typing import Any

from constraints import Tools, read_tools
from forms import array, b64_decode, check, digest, members, name, need, reading, sha256, text, whole
from grants import COMPONENTS, Flow, Pins, read_flow, read_pins
from keys import Key, read_key
from labels import read_labels
from platform_quote import Platform, read_platform
from strict_json import canonical, read

MAX_TOKEN = 65536
PROFILE = "tag:agent-attest.github.io,2026:mcp-attestation:1"
CALL, PROV = "io.github.agent-attest/call", "io.github.agent-attest/prov"
FLOW, STATE, HOLDER = (f"io.github.agent-attest/{name}" for name in ("flow", "state", "holder"))
GRADES = ("asserted", "on-disk", "in-use")  # the weakest first; the index is the last byte of `flags`
_HEADER = re.compile(rb'\{"alg":"Ed25519","kid":"([A-Za-z0-9_-]{43})","typ":"([a-z+-]+)"\}')


@dataclass
class Token:
    """What every token has. `longest` is its longest life in seconds (verification.md, rule 3)."""

    text: str
    kid: str
    payload: Any
    longest = 0
    most = MAX_TOKEN
    typ = ""

    @property
    def hash(self) -> str:
        return sha256(self.text.encode())

    @property
    def signing_input_hash(self) -> str:
        return sha256(self._signing_input())

    def _signing_input(self) -> bytes:
        return self.text.rpartition(".")[0].encode()

    def verifies(self, key: Key) -> bool:
        """jws.md, rule 12."""
        return self.kid == key.thumbprint and key.verifies(b64_decode(self.text.rpartition(".")[2], 64), self._signing_input())

    def claims(self) -> None:
        """Step 5 of jws.md; raises FormError."""
        raise NotImplementedError

    def _times(self) -> None:
        self.iat, self.exp = whole(self.payload["iat"]), whole(self.payload["exp"])


class Attestation(Token):
    longest, typ = 3600, "eat+jwt"

    def claims(self) -> None:
        claims = members(self.payload, ("cnf", "eat_profile", "exp", "iat", "iss", "jti", "measurements", "sub"), ("eat_nonce", "status", "submods"))
        self._times()
        self.cnf = read_cnf(claims["cnf"])
        need(claims["eat_profile"] == PROFILE)
        self.issuer, self.agent = name(claims["iss"]), name(claims["sub"])
        b64_decode(claims["jti"], 16)
        self.measurements = read_measurements(claims["measurements"])
        if "eat_nonce" in claims:
            b64_decode(claims["eat_nonce"], 32)
        self.status = read_place(claims)
        self.platform: Platform | None = read_platform(claims["submods"]) if "submods" in claims else None

    @property
    def quoted(self) -> str:
        """platform.md, rule 9."""
        return sha256(canonical({name: claim for name, claim in self.payload.items() if name != "submods"}))


class Delegation(Token):
    longest, typ = 7776000, "aat+jwt"
    _REQUIRED = ("authorization_details", "cnf", "del_depth", "del_max_depth", "exp", "iat", "iss", "jti")

    def claims(self) -> None:
        claims = members(self.payload, self._REQUIRED, self.payload if isinstance(self.payload, dict) else ())
        need(not {"aud", "nbf"} & set(claims))  # rule 2: these restrict, all other further claims are ignored
        self._times()
        self.cnf = read_cnf(claims["cnf"])
        self.depth, self.max_depth = whole(claims["del_depth"]), whole(claims["del_max_depth"])
        self.issuer = name(claims["iss"])
        jti = name(claims["jti"])
        need(re.fullmatch(r"[0-9A-Fa-f-]{36}", jti) is None or jti == jti.lower())  # rule 3
        self.par_hash = digest(claims["par_hash"]) if "par_hash" in claims else None
        details = array(claims["authorization_details"])
        need(len(details) == 1)  # rule 5
        detail = members(details[0], ("tools", "type"), (FLOW, STATE, HOLDER))
        need(detail["type"] == "attenuating_agent_token")
        self.tools: Tools = read_tools(detail["tools"])
        self.flow: Flow | None = read_flow(detail[FLOW]) if FLOW in detail else None
        self.pins: Pins | None = read_pins(detail[STATE]) if STATE in detail else None
        self.by: str | None = text(detail[HOLDER]) if HOLDER in detail else None
        self.status = read_place(claims)


class CallProof(Token):
    longest, typ = 300, "mcp-call+jwt"

    def claims(self) -> None:
        claims = members(self.payload, ("aud", "exp", "iat", "jti", "oth", "wth", CALL, PROV), ("nonce",))
        if "nonce" in claims:
            b64_decode(claims["nonce"], 32)
        self._times()
        self.audience = name(claims["aud"])
        b64_decode(claims["jti"], 16)
        self.jti: str = claims["jti"]  # one spelling per value, so texts compare as the 16 bytes do
        self.leaf_hash = digest(members(claims["oth"], ("del",))["del"])
        self.attestation_hash = digest(claims["wth"])
        call = members(claims[CALL], ("meta", "method", "params"), ("tool",))
        self.method = name(call["method"])  # rule 2
        need(("tool" in call) == (self.method == "tools/call"))  # rule 3
        self.tool: str | None = name(call["tool"]) if "tool" in call else None
        self.params_digest = digest(call["params"])
        meta = members(call["meta"], ("digest", "names"))  # rule 5; their order is for check 6
        self.meta_digest = digest(meta["digest"])
        self.meta_names = [name(n) for n in array(meta["names"])]
        need(len(self.meta_names) <= 64)
        prov = members(claims[PROV], ("ctx", "labels", "parents"), ("cause", "origin"))  # rules 7 to 9
        b64_decode(prov["ctx"], 16)
        self.labels = read_labels(prov["labels"])
        need(("cause" in prov) != ("origin" in prov) and prov.get("origin", "self") == "self")
        self.cause: str | None = digest(prov["cause"]) if "cause" in prov else None
        self.parents = [digest(parent) for parent in array(prov["parents"])]
        need(len(self.parents) <= 16)


def read_token(kind: type[Token], text: str, about: str) -> Any:
    """jws.md, "Reading, in this order". `kind` says what the place wants."""
    check(len(text.encode("utf-8")) <= kind.most, "too-large", about)  # step 1
    with reading("token-encoding", about):  # step 2
        parts = text.split(".")
        need(len(parts) == 3)
        header, payload_bytes = b64_decode(parts[0]), b64_decode(parts[1])
        b64_decode(parts[2], 64)
    with reading("token-header", about):  # step 3
        found = _HEADER.fullmatch(header)
        need(found is not None and found.group(2).decode() == kind.typ)
        kid = digest(found.group(1).decode())
    with reading("token-not-canonical", about):  # step 4
        payload = read(payload_bytes)
        need(canonical(payload) == payload_bytes)
    token = kind(text, kid, payload)
    with reading("token-claims", about):  # step 5
        token.claims()
    return token


def read_place(claims: dict[str, Any]) -> tuple[int, str] | None:
    """status.md, rules 1 to 3: number and list."""
    if "status" not in claims:
        return None
    place = members(members(claims["status"], ("status_list",))["status_list"], ("idx", "uri"))
    return whole(place["idx"]), name(place["uri"])


def read_cnf(value: Any) -> Key:
    """jws.md, rule 11."""
    return read_key(members(value, ("jwk",))["jwk"])


def read_measurements(value: Any) -> dict[str, tuple[str, int]]:
    """measurement.md, rules 1 to 6: digest and grade by component, in ascending order."""
    found: dict[str, tuple[str, int]] = {}
    for entry in array(value):
        need(len(array(entry)) == 2 and entry[0] == 296 and isinstance(entry[1], str))
        component = read(entry[1].encode("utf-8"))
        need(canonical(component) == entry[1].encode("utf-8"))  # rule 2
        members(component, ("digested-measurement", "flags", "id"))
        measured, ids = array(component["digested-measurement"]), array(component["id"])
        need(len(measured) == 2 and measured[0] == "sha-256" and len(ids) == 1 and ids[0] in COMPONENTS)
        flags = b64_decode(component["flags"], 8)
        need(flags[:7] == bytes(7) and flags[7] < len(GRADES))  # rule 4
        need(not found or next(reversed(found)) < ids[0])  # rule 6
        found[ids[0]] = digest(measured[1]), flags[7]
    need(bool(found))
    return found
