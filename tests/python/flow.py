"""What comes with a call besides its tokens, and check 11 (spec/flow.md, cause.md, declassification.md)."""

from dataclasses import dataclass, field
from typing import Any, Collection

from forms import Refused, array, b64_decode, check, commitment, digest, members, name, need, text
from grants import PUBLIC, Flow
from labels import EVERY, NONE, Labels, listed, read_labels, read_some, union, within, without
from receipts import Receipt
from strict_json import FormError, canonical, read
from tokens import CallProof, Delegation, Token
from trust import Trust

CAUSE = "io.github.agent-attest/cause"


class Cause(Token):
    """cause.md, rule 1."""

    longest, typ = 86_400, "mcp-decision+jwt"

    def claims(self) -> None:
        claims = members(self.payload, ("aud", "call", "exp", "iat", "key", "labels", "leaf", "log"))
        self._times()
        name(claims["aud"]), digest(claims["call"]), digest(claims["leaf"])
        self.key, self.log = digest(claims["key"]), name(claims["log"])
        self.labels = read_labels(claims["labels"])


class Declassification(Token):
    """declassification.md, rule 1."""

    longest, typ = 600, "mcp-declassification+jwt"

    def claims(self) -> None:
        claims = members(self.payload, ("aud", "exp", "iat", "jti", "key", "labels", "params", "tool"))
        self._times()
        b64_decode(claims["jti"], 16)
        self.audience, self.jti, self.key = name(claims["aud"]), claims["jti"], digest(claims["key"])
        self.labels, self.params, self.tool = read_some(claims["labels"]), digest(claims["params"]), name(claims["tool"])


@dataclass
class Brought:
    """Read, and not verified. A declassification stands with its salt."""

    receipts: list[Receipt] = field(default_factory=list)
    cause: Cause | None = None
    declassifications: list[tuple[bytes, Declassification]] = field(default_factory=list)

    def binds(self, proof: CallProof) -> bool:
        """call-proof.md, the last line of check 6."""
        cause = None if self.cause is None else self.cause.hash
        return [receipt.hash for receipt in self.receipts] == proof.parents and cause == proof.cause


def check_flow(
    brought: Brought, proof: CallProof, params: Any, chain: list[Delegation], caller: tuple[str, str], trust: Trust, used: Collection[tuple[str, str]]
) -> tuple[Labels, list[tuple[str, str]]]:
    """flow.md, rules 8 to 15. `caller`: agent and thumbprint. The labels of the decision, and what the call uses up."""
    agent, key = caller
    labels = union(proof.labels, *(_shown(receipt, trust) for receipt in brought.receipts))  # rule 8
    cause = brought.cause
    if cause is not None:  # rule 9
        log = trust.logs.get(cause.log)
        check(log is not None and cause.verifies(log.keys[-1][0].key), "unknown-cause")
        check(any(token.cnf.thumbprint == cause.key for token in chain[:-1]), "cause-not-in-chain")
        labels = union(labels, cause.labels)
    else:
        check(all(flow.origin for flow in _flows(chain)), "origin-not-granted")
    asks = trust.flow_of(proof.tool)
    unkept = asks.lineage and agent not in trust.lineage  # rule 10
    if unkept:
        labels = EVERY
    flowing, uses = labels, []
    for salt, token in brought.declassifications:  # rule 11
        owner = trust.declassifiers.get(token.kid)
        check(owner is not None and token.verifies(owner.key), "bad-declassification")
        fits = within(token.labels, owner.labels) and token.audience == trust.audience and token.key == key
        check(fits and token.tool == proof.tool and token.params == commitment(salt, params), "bad-declassification")
        flowing = without(flowing, token.labels)
        uses.append((owner.key.thumbprint, token.jti))
    place = None if proof.tool is None else f"{trust.audience}#{proof.tool}"
    released = all(within(flowing, union(flow.release.get(place, NONE), flow.release.get("*", NONE))) for flow in _flows(chain))
    if not (released and within(flowing, asks.accepts)):  # rules 12 to 14
        raise Refused("lineage-required" if unkept else "flow-not-granted", listed(flowing))
    check(not any(use in used for use in uses), "declassification-used")  # rule 15
    return labels, uses


def _flows(chain: list[Delegation]) -> list[Flow]:
    """flow.md, rules 5 and 6."""
    return [token.flow for token in chain if token.flow is not None] + ([PUBLIC] if chain[0].flow is None else [])


def _shown(receipt: Receipt, trust: Trust) -> Labels:
    """labels.md, rule 9."""
    log = trust.logs.get(receipt.log)
    key = next((key for key, until in log.keys if until > receipt.index and key.key.thumbprint == receipt.kid), None) if log else None
    return receipt.labels if key is not None and receipt.verifies(key.key) else EVERY


def tell(request: bytes, decision: str, grant: list[str]) -> bytes:
    """cause.md, rules 8 and 9."""
    message = read(request)
    member: dict[str, Any] = {"decision": decision} | ({"grant": grant} if grant else {})
    params = message["params"]
    return canonical({**message, "params": {**params, "_meta": {**params.get("_meta", {}), CAUSE: member}}})


def told(value: Any) -> bool:
    """cause.md, rule 9."""
    try:
        members(value, ("decision",), ("grant",))
        text(value["decision"])
        need("grant" not in value or len([text(token) for token in array(value["grant"])]) > 0)
    except FormError:
        return False
    return True
