"""The verdict on one message: checks 1 to 11 in their order (spec/verification.md, attestation.md, call-proof.md, chain.md, pins.md, flow.md)."""

from dataclasses import dataclass
from typing import Collection

from constraints import arguments_allowed, tools_narrow
from flow import Brought, Cause, Declassification, check_flow
from forms import Refused, check, commitment, sha256
from grants import Pinned
from keys import Key
from labels import listed, union, within
from messages import Call, Carrier, read_carrier, read_message
from receipts import Receipt
from refusals import wire
from strict_json import in_order
from status import Statuses
from tokens import Attestation, CallProof, Delegation, Token, read_token
from trust import Trust

MAX_MESSAGE = 4194304


@dataclass
class Verdict:
    """`outcome` is accept, pass or a reason; the others are None where they do not apply."""

    outcome: str
    wire: str | None = None
    about: str | None = None
    forward: bytes | None = None
    labels: str | None = None  # those of the decision


class Verifier:
    def __init__(self, trust: Trust, methods: Collection[str] = ()) -> None:
        self.trust = trust
        self.methods = methods  # besides tools/call, those that need a proof
        self.remembered: dict[tuple[str, ...], tuple[Attestation, list[Delegation], set[str]]] = {}  # by the tokens' digests
        self.statuses = Statuses(trust, {})
        self.level = "critical"  # how much harm a call can do: what is not known counts as the most
        self.calls: set[tuple[str, str]] = set()  # (thumbprint of the call key, jti) of accepted calls

    def verify(self, message: bytes, now: int) -> Verdict:
        try:
            return self._verify(message, now)
        except Refused as refusal:
            return Verdict(refusal.reason, wire(refusal.reason), refusal.about)

    def _verify(self, message: bytes, now: int) -> Verdict:
        check(len(message) <= MAX_MESSAGE, "too-large")  # check 1
        call = read_message(message, self.methods)  # check 2, up to the tokens' claims
        if call is None:
            return Verdict("pass")
        carrier = read_carrier(call)
        if carrier.short:
            attestation, chain, within_rules = self._recall(carrier)
        else:
            attestation = read_token(Attestation, carrier.att, "attestation")
            chain = [read_token(Delegation, text, f"delegation {i}") for i, text in enumerate(carrier.delegations)]
            within_rules = set()
        proof: CallProof = read_token(CallProof, carrier.prf, "call proof")
        disclosed = {sha256(text.encode("utf-8")): text for text in carrier.disclosed}  # carrier.md, rule 12
        check(len(disclosed) == len(carrier.disclosed), "bad-carrier")
        check(all(any(own == m for m, _ in attestation.measurements.values()) for own in disclosed), "bad-carrier")

        brought = self._brought(carrier)

        self._times(attestation, "attestation", now)  # check 3
        for i, token in enumerate(chain):
            self._times(token, f"delegation {i}", now)
        self._times(proof, "call proof", now)
        if brought.cause is not None:
            self._times(brought.cause, "cause", now)
        for i, (_, token) in enumerate(brought.declassifications):
            self._times(token, f"declassification {i}", now)

        self._attestation(attestation)  # check 4
        check(proof.verifies(attestation.cnf), "call-signature")  # check 5
        self._bindings(call, carrier, attestation, chain, proof)  # check 6
        check(brought.binds(proof), "provenance-mismatch")
        entry = (attestation.cnf.thumbprint, proof.jti)
        check(entry not in self.calls, "replay")  # check 7
        if not carrier.short:
            within_rules = self._within_rules(attestation, disclosed)
        self._state(attestation, within_rules)  # check 8
        self._platform(attestation)
        self._chain(chain, attestation.cnf)  # check 9
        check(now < self._pinned_until(chain, attestation) + self.trust.skew, "holder-stale")
        self.statuses.judge(attestation.status, "attestation", self.level, now)  # check 9, its second half
        for i, token in enumerate(chain):
            self.statuses.judge(token.status, f"delegation {i}", self.level, now)
        self._grant(chain[-1], call)  # check 10
        caller = attestation.agent, attestation.cnf.thumbprint
        labels, uses = check_flow(brought, proof, call.signed_params(), chain, caller, self.trust, self.calls)  # check 11
        self.calls.update([entry, *uses])  # check 13, as far as memory goes
        self.remembered[attestation.hash, *(token.hash for token in chain)] = attestation, chain, within_rules
        return Verdict("accept", forward=call.forward(proof.meta_names), labels=listed(labels) or None)

    def _brought(self, carrier: Carrier) -> Brought:
        receipts = [read_token(Receipt, one, f"receipt {i}") for i, one in enumerate(carrier.receipts)]
        cause = None if carrier.cause is None else read_token(Cause, carrier.cause, "cause")
        tokens = enumerate(carrier.declassifications)
        return Brought(receipts, cause, [(salt, read_token(Declassification, one, f"declassification {i}")) for i, (salt, one) in tokens])

    def _recall(self, carrier: Carrier) -> tuple[Attestation, list[Delegation], set[str]]:
        """carrier.md, rule 8."""
        found = self.remembered.get((carrier.att, *carrier.delegations))
        if found is None:
            raise Refused("not-cached")
        return found

    def _grant(self, leaf: Delegation, call: Call) -> None:
        """delegation.md, rules 10 and 11."""
        if call.tool is None:
            check(any(tool.partition("#")[0] == self.trust.audience for tool in leaf.tools), "method-not-granted")
            return
        granted = leaf.tools.get(f"{self.trust.audience}#{call.tool}")
        if granted is None:
            raise Refused("tool-not-granted")
        check(arguments_allowed(granted, call.params.get("arguments")), "arguments-not-granted")

    def _times(self, token: Token, about: str, now: int) -> None:
        """verification.md, rules 1 to 3."""
        check(token.exp + self.trust.skew > now, "expired", about)
        check(token.iat <= now + self.trust.skew, "not-yet-valid", about)
        check(0 < token.exp - token.iat <= token.longest, "life-too-long", about)

    def _attestation(self, token: Attestation) -> None:
        """attestation.md, rules 4 to 7."""
        attester = self.trust.attesters.get(token.kid)
        if attester is None:
            raise Refused("unknown-attester")
        check(token.verifies(attester.key), "attestation-signature")
        check(token.issuer == attester.issuer and token.agent in attester.agents, "unknown-attester")
        check(not self.trust.has_role(token.cnf), "key-role")

    def _bindings(self, call: Call, carrier: Carrier, attestation: Attestation, chain: list[Delegation], proof: CallProof) -> None:
        """call-proof.md, check 6: all lines in order, but the last."""
        check(proof.audience == self.trust.audience, "wrong-audience")
        check(proof.attestation_hash == attestation.hash, "wrong-attestation")
        check(proof.leaf_hash == chain[-1].hash, "wrong-delegation")
        check(proof.method == call.method, "method-mismatch")
        check(proof.tool == call.tool, "tool-mismatch")
        check(proof.params_digest == commitment(carrier.salt, call.signed_params()), "params-mismatch")
        bound = call.bound(proof.meta_names)
        check(in_order(bound) == proof.meta_names and proof.meta_digest == commitment(carrier.salt, bound), "meta-mismatch")

    def _within_rules(self, attestation: Attestation, disclosed: dict[str, str]) -> set[str]:
        """comparison.md, rule 3."""
        references = self.trust.agents.get(attestation.agent, {})
        rules = {component: reference.rule for component, reference in references.items() if reference.rule is not None}
        shown = {component: disclosed.get(measured) for component, (measured, _) in attestation.measurements.items()}
        return {c for c, rule in rules.items() if (text := shown.get(c)) is not None and rule.fits(text)}

    def _state(self, attestation: Attestation, within_rules: set[str]) -> None:
        """measurement.md, rules 11 to 13."""
        references = self.trust.agents.get(attestation.agent)
        if references is None:  # `{}` goes on, to fail below at the first component that is shown
            raise Refused("no-reference")
        for component in sorted(references):
            check(component in attestation.measurements, "component-missing", component)
        for component, (measured, grade) in attestation.measurements.items():  # ascending already, by their reading
            reference = references.get(component)
            if reference is None:
                raise Refused("no-reference", component)
            check(grade >= reference.grade, "grade-too-low", component)
            accepted = reference.digests is None or measured in reference.digests or component in within_rules
            check(accepted, "state-mismatch", component)
            check(not reference.only_endorsed or measured in reference.endorsed, "grade-too-low", component)

    def _platform(self, attestation: Attestation) -> None:
        """platform.md, rules 15 to 19."""
        if attestation.agent not in self.trust.hardware:
            return
        shown = attestation.platform
        if shown is None:
            raise Refused("platform-missing")
        pinned = self.trust.platforms.get(shown.ak)
        if pinned is None or attestation.agent not in pinned.agents:
            raise Refused("unknown-platform")
        check(pinned.key.verifies(shown.signature, shown.quote), "platform-signature")
        check(shown.over == attestation.quoted, "platform-binding")
        check(pinned.pcrs is None or shown.pcrs in pinned.pcrs, "platform-state")

    def _chain(self, chain: list[Delegation], holder: Key) -> None:
        """chain.md, rules 1 to 13."""
        first = chain[0]
        root = self.trust.roots.get(first.kid)
        if root is None:
            raise Refused("unknown-root")
        check(first.verifies(root.key), "chain-signature")
        check(first.issuer == root.issuer, "unknown-root")
        check(first.par_hash is None, "chain-linkage")
        check(first.depth == 0, "chain-depth")
        released = [] if first.flow is None else first.flow.release.values()
        check(all(root.covers(tool) for tool in first.tools) and within(union(*released), root.labels) and first.by is None, "root-scope")
        check(not self.trust.has_role(first.cnf), "holder-role")
        for parent, child in zip(chain, chain[1:]):
            check(child.verifies(parent.cnf), "chain-signature")
            check(child.par_hash == parent.signing_input_hash and child.issuer == parent.cnf.issuer, "chain-linkage")
            check(child.depth == parent.depth + 1 and max(child.depth, child.max_depth) <= parent.max_depth, "chain-depth")
            check(child.exp <= parent.exp and child.iat >= parent.iat, "chain-lifetime")
            check(tools_narrow(parent.tools, child.tools), "widened")
            check(not self.trust.has_role(child.cnf), "holder-role")
        for n in range(1, len(chain)):
            self._holder(chain[: n + 1])
        check(chain[-1].cnf == holder, "holder-mismatch")

    def _holder(self, chain: list[Delegation]) -> None:
        """pins.md, rules 7 to 9: who derived the last of these tokens."""
        above, parent, child = chain[:-1], chain[-2], chain[-1]
        if child.by is None:
            check(not _asked(above), "holder-attestation")
            return
        try:
            shown: Attestation = read_token(Attestation, child.by, "holder")
            self._attestation(shown)
        except Refused:
            raise Refused("holder-attestation") from None
        then = shown.iat <= child.iat + self.trust.skew and child.iat < shown.exp
        check(shown.cnf == parent.cnf and then, "holder-attestation")
        check(_shows(shown, above), "state-pinned")

    def _pinned_until(self, chain: list[Delegation], attestation: Attestation) -> float:
        """pins.md, rules 10 and 11."""
        check(_shows(attestation, chain), "state-pinned")
        shown = [(attestation, chain)]
        for n in range(1, len(chain)):
            if chain[n].by is not None:
                shown.append((read_token(Attestation, chain[n].by, "holder"), chain[:n]))
        return min((by.iat + age for by, tokens in shown for _, age in _asked(tokens)), default=float("inf"))


def _asked(chain: list[Delegation]) -> list[tuple[Pinned, int]]:
    """pins.md, rule 6: what the holder of the last of these tokens must show, and for how long it stands."""
    asked = [(token.pins.holder if token is chain[-1] else token.pins.below, token.pins.max_age) for token in chain if token.pins]
    return [(pinned, age) for pinned, age in asked if pinned]


def _shows(attestation: Attestation, chain: list[Delegation]) -> bool:
    wanted = [pair for pinned, _ in _asked(chain) for pair in pinned.items()]
    return all(c in attestation.measurements and attestation.measurements[c][0] in digests for c, digests in wanted)
