"""The trust configuration in its JSON form (spec/trust.md). Any defect is a FormError: the verifier does not start."""

from dataclasses import dataclass
from typing import Any

from comparison import Listing, Template, read_listing, read_template
from forms import Refused, array, digest, members, name, need, qualified, text, whole
from labels import EVERY, Labels, read_labels
from keys import Key, PlatformKey, read_key, read_platform_key
from notes import LogKeys, read_log_keys
from strict_json import FormError, read
from tokens import COMPONENTS, GRADES

MAX_SKEW = 300
MAX_STATUS_AGE = 86400
LEVELS = ("low", "medium", "high", "critical")


@dataclass
class Attester:
    key: Key
    issuer: str
    agents: list[str]


@dataclass
class Root:
    key: Key
    issuer: str
    scopes: list[tuple[str, str]]
    labels: Labels

    def covers(self, tool: str) -> bool:
        """Rule 5; `tool` is a qualified name."""
        audience, own = qualified(tool)
        return any(audience == a and t in (own, "*") for a, t in self.scopes)


@dataclass
class Reference:
    """Accepted digests, None for `any`; those of them that are endorsed; the weakest accepted grade; whether only the endorsed are; a rule."""

    digests: list[str] | None
    endorsed: list[str]
    grade: int
    only_endorsed: bool
    rule: Template | Listing | None


@dataclass
class Platform:
    """A machine's key, the agents on it, and the accepted digests of PCR 0 to 7, None for `any`."""

    key: PlatformKey
    agents: list[str]
    pcrs: list[str] | None


@dataclass
class Owner:
    key: Key
    labels: Labels


@dataclass
class ToolFlow:
    accepts: Labels = EVERY
    lineage: bool = False


@dataclass
class Trust:
    audience: str
    skew: int
    attesters: dict[str, Attester]  # by thumbprint, as are the roots
    roots: dict[str, Root]
    agents: dict[str, dict[str, Reference]]
    platforms: dict[str, Platform]  # by thumbprint
    hardware: set[str]  # the agents of which it is required
    logs: dict[str, LogKeys]  # by name
    declassifiers: dict[str, Owner]  # by thumbprint
    lineage: set[str]  # the agents whose signers keep it
    flow: dict[str, ToolFlow]  # by tool; by the empty name for all others
    statuses: dict[str, Key]  # who signs which status list
    status_age: int
    stale: set[str]  # the levels that pass without a fresh one

    def flow_of(self, tool: str | None) -> ToolFlow:
        """Rule 29."""
        return self.flow.get(tool or "") or self.flow.get("") or ToolFlow()

    def has_role(self, key: Key) -> bool:
        """Rule 3: attester, delegation root, owner of labels, log, signer of status lists."""
        logs = (known.key.thumbprint for log in self.logs.values() for known, _ in log.keys)
        signers = (signer.thumbprint for signer in self.statuses.values())
        return any(key.thumbprint in role for role in (self.attesters, self.roots, self.declassifiers, set(logs), set(signers)))


def read_trust(data: bytes) -> Trust:
    optional = ("declassifiers", "flow", "lineage", "logs", "platforms", "stale", "status_age", "statuses")
    value = members(read(data), ("agents", "attesters", "audience", "roots", "skew"), optional)
    audience = name(value["audience"])
    need("#" not in audience)
    attesters: dict[str, Attester] = {}
    for entry in array(value["attesters"]):
        members(entry, ("agents", "issuer", "key"))
        key = read_key(entry["key"])
        need(key.thumbprint not in attesters)  # rule 3
        attesters[key.thumbprint] = Attester(key, text(entry["issuer"]), [text(agent) for agent in array(entry["agents"])])
    roots: dict[str, Root] = {}
    for entry in array(value["roots"]):
        members(entry, ("issuer", "key", "tools"), ("labels",))
        key = read_key(entry["key"])
        need(key.thumbprint not in roots and key.thumbprint not in attesters)
        roots[key.thumbprint] = Root(key, text(entry["issuer"]), [qualified(t) for t in array(entry["tools"])], read_labels(entry.get("labels", [])))
    need(isinstance(value["agents"], dict))
    agents = {agent: _references(components) for agent, components in value["agents"].items()}
    need(all(any(agent in attester.agents for attester in attesters.values()) for agent in agents))  # rule 8
    need(whole(value["skew"]) <= MAX_SKEW)
    hardware = {agent for agent, components in value["agents"].items() if "hardware" in components}
    platforms: dict[str, Platform] = {}
    for entry in array(value.get("platforms", [])):
        members(entry, ("agents", "key", "pcrs"))
        machine = read_platform_key(entry["key"])
        need(machine.thumbprint not in platforms)  # rule 16
        pcrs = None if entry["pcrs"] == "any" else [digest(d) for d in array(entry["pcrs"])]
        need(pcrs is None or len(pcrs) > 0)
        platforms[machine.thumbprint] = Platform(machine, [text(agent) for agent in array(entry["agents"])], pcrs)
    need(hardware == {agent for machine in platforms.values() for agent in machine.agents})  # rule 18
    trust = Trust(audience, whole(value["skew"]), attesters, roots, agents, platforms, hardware, {}, {}, set(), {}, {}, MAX_STATUS_AGE, set())
    _flow(value, trust)
    _status(value, trust)
    return trust


def _flow(value: Any, trust: Trust) -> None:
    """Rules 26 to 30."""
    for entry in array(value.get("declassifiers", [])):
        members(entry, ("key", "labels"))
        key = read_key(entry["key"])
        need(not trust.has_role(key))
        trust.declassifiers[key.thumbprint] = Owner(key, read_labels(entry["labels"]))
    for lines in array(value.get("logs", [])):
        need(len(array(lines)) > 0)
        try:
            keys = read_log_keys("\n".join(text(line) for line in lines))
        except Refused:
            raise FormError from None
        need(keys.origin not in trust.logs and not any(trust.has_role(key.key) for key, _ in keys.keys))
        trust.logs[keys.origin] = keys
    trust.lineage.update(text(agent) for agent in array(value.get("lineage", [])))
    need(trust.lineage <= set(trust.agents))
    flow = value.get("flow", {})
    need(isinstance(flow, dict))
    for tool, entry in flow.items():
        members(entry, (), ("accepts", "lineage"))
        need(type(entry.get("lineage", False)) is bool)
        accepts = read_labels(entry["accepts"]) if "accepts" in entry else EVERY
        trust.flow[tool] = ToolFlow(accepts, entry.get("lineage", False))


def _status(value: Any, trust: Trust) -> None:
    """Rules 22 to 25."""
    signers: set[str] = set()
    for entry in array(value.get("statuses", [])):
        members(entry, ("key", "uri"))
        key = read_key(entry["key"])
        need(key.thumbprint in signers or not trust.has_role(key))  # rule 3
        need(name(entry["uri"]) not in trust.statuses)  # rule 22
        trust.statuses[entry["uri"]] = key
        signers.add(key.thumbprint)
    if "status_age" in value:
        trust.status_age = whole(value["status_age"])
    need(1 <= trust.status_age <= MAX_STATUS_AGE)
    stale = value.get("stale", {})
    need(isinstance(stale, dict) and all(k in LEVELS and v in ("accept", "refuse") for k, v in stale.items()))
    trust.stale.update(level for level, what in stale.items() if what == "accept")


def _references(value: Any) -> dict[str, Reference]:
    need(isinstance(value, dict))
    references: dict[str, Reference] = {}
    for component, entry in value.items():
        if component == "hardware":  # rule 17
            need(entry is True)
            continue
        need(isinstance(entry, dict))
        with_endorsed = "endorsed" in entry
        members(entry, ("digests", "grade"), ("endorsed", "listing", "template"))
        need(component in COMPONENTS)
        rule = _rule(component, entry)
        endorsed = [digest(d) for d in array(entry["endorsed"])] if with_endorsed else []
        need(not with_endorsed or (len(endorsed) > 0 and component in ("harness", "model-weights")))  # rule 13
        digests = None if entry["digests"] == "any" else [digest(d) for d in array(entry["digests"])] + endorsed
        need(digests is None or len(digests) > 0 or rule is not None)  # rule 6
        need(digests is not None or not (endorsed or rule))
        only_endorsed = entry["grade"] == "endorsed"
        need(entry["grade"] in GRADES or (only_endorsed and len(endorsed) > 0))
        grade = "on-disk" if only_endorsed else entry["grade"]
        references[component] = Reference(digests, endorsed, GRADES.index(grade), only_endorsed, rule)
    return references


def _rule(component: str, entry: dict[str, Any]) -> Template | Listing | None:
    """Rule 16."""
    need(not ("template" in entry and "listing" in entry))
    if "template" in entry:
        need(component == "system-prompt")
        return read_template(entry["template"])
    return read_listing(component, entry["listing"]) if "listing" in entry else None
