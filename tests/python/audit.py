"""What is checked between the entries of a log that holds no call, and of the declassifications that were used.

spec/audit.md: entry, own-token, evidence, agreement, time, context, replay, replay-window, outcome, seen, alert.
"""

from typing import Any

from approvals import Approval
from entries import read_entry
from flow import Declassification
from forms import Refused, sha256
from strict_json import FormError
from tokens import read_token

SKEW = 360_000
# Whose log an entry's type makes it; the other types are of every log, but an outcome.
_SIDES = {
    "start": "verifier",
    "config": "verifier",
    "decision": "verifier",
    "refused": "verifier",
    "accepted": "verifier",
    "closed": "verifier",
    "used": "verifier",
    "context": "caller",
    "call": "caller",
    "receipt": "caller",
    "trail": "host",
}
Finding = tuple[int | None, str]


def audit(lines: list[bytes], horizon: int, forgotten: int) -> list[Finding]:
    """Index and check of all that is wrong, no index for the log as a whole. A line is an entry, and behind a tab the token beside it."""
    log = _Log(horizon, forgotten)
    for index, line in enumerate(lines):
        body, tab, own = line.partition(b"\t")
        try:
            entry = read_entry(body)
        except (Refused, FormError):
            log.found.append((index, "entry"))
            continue
        wrong = dict.fromkeys(log.take(index, entry, own.decode() if tab else None))
        log.found += [(index, check) for check in wrong]
    if log.forgotten != forgotten:
        log.found.append((None, "forgotten"))
    return log.found


class _Log:
    def __init__(self, horizon: int, mark: int) -> None:
        self.horizon = horizon
        self.mark = mark
        self.forgotten = 0
        self.used: dict[tuple[str, str], int] = {}
        self.found: list[Finding] = []
        self.side: str | None = None
        self.latest = 0.0
        self.writer: dict[str, Any] | None = None
        self.policies: set[Any] = set()
        self.sessions: set[str] = set()
        self.waiting: set[tuple[str, str]] = set()

    def take(self, index: int, entry: dict[str, Any], own: str | None) -> list[str]:
        """The checks that the next entry fails."""
        wrong = []
        kind = entry["type"]
        if kind == "used":
            if own is not None or index >= self.mark:
                wrong += self.use(entry, own)
        elif own is not None:
            wrong.append("own-token")
        if entry["time"] + SKEW < self.latest:
            wrong.append("time")
        self.latest = max(self.latest, entry["time"])
        side = _SIDES.get(kind)
        if side is not None and self.side not in (None, side):
            wrong.append("context")
        self.side = self.side or side
        match kind:
            case "start" | "context" | "trail":
                name = {"start": "audience", "context": "agent"}.get(kind)
                before = self.writer
                if name and before and before["type"] == kind and before[name] != entry[name]:
                    wrong.append("context")
                self.writer = entry
                joins = kind == "start" and entry.get("shared") and before is not None and before.get("shared")
                self.policies = (self.policies if joins else set()) | {entry.get("policy")}
                if kind == "trail":
                    self.sessions.add(entry["session"])
            case "decision" | "refused" | "accepted" | "closed" | "config" | "used":
                started = self.writer is not None and self.writer["type"] == "start"
                if kind == "config":
                    self.policies.add(entry["policy"])
                if not started or self.writer["audience"] != entry["audience"] or entry.get("policy") not in self.policies | {None}:
                    wrong.append("context")
                if kind == "closed" and entry["alert"] >= index:
                    wrong.append("alert")
            case "outcome":
                # Without tokens nothing was let through or signed that could end.
                wrong.append("context" if self.side == "host" else "outcome")
            case "forgotten":
                if not self.forgotten < entry["before"] <= index:
                    wrong.append("forgotten")
                self.forgotten = max(self.forgotten, entry["before"])
            case "seen":
                wrong += self.see(entry["event"])
            case "alert":
                if self.writer is None:
                    wrong.append("context")
                if any(on >= index for on in entry["entries"]):
                    wrong.append("alert")
        return wrong

    def use(self, entry: dict[str, Any], own: str | None) -> list[str]:
        """declassification.md, rules 9 to 11, and approval.md, rule 8."""
        if own is None or sha256(own.encode()) != entry["token"]:
            return ["own-token"]
        try:
            token: Declassification | Approval = read_token(Declassification, own, "")
        except Refused as refused:
            if refused.reason != "token-header":  # its header says which of the two it is
                return ["evidence"]
            try:
                token = read_token(Approval, own, "")
            except Refused:
                return ["evidence"]
        if token.audience != entry["audience"]:
            return ["agreement"]
        if not 0 < token.exp - token.iat <= token.longest:
            return ["evidence"]
        if not (token.iat * 1000 <= entry["time"] + SKEW and entry["time"] < token.exp * 1000 + SKEW):
            return ["time"]
        use, until = (token.kid, token.jti), token.exp + 300
        again = use in self.used and entry["time"] // 1000 < self.used[use]
        self.used[use] = until
        return ["replay"] * again + ["replay-window"] * (until > self.horizon)

    def see(self, event: dict[str, Any]) -> list[str]:
        wrong = []
        session, what = event["session"], event["what"]
        if self.writer is None or (self.side == "host" and session not in self.sessions):
            wrong.append("context")
        call = (session, event.get("call", ""))
        if what == "answer":
            if call not in self.waiting:
                wrong.append("seen")
            self.waiting.discard(call)
        elif what in ("call", "read") and "notification" not in event:
            if call in self.waiting:
                wrong.append("seen")
            self.waiting.add(call)
        return wrong
