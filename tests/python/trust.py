"""The trust configuration in its JSON form (spec/trust.md). Any defect is a FormError: the verifier does not start."""

from dataclasses import dataclass
from typing import Any

from comparison import Listing, Template, read_listing, read_template
from forms import array, digest, members, name, need, qualified, text, whole
from keys import Key, PlatformKey, read_key, read_platform_key
from strict_json import read
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
class Trust:
    audience: str
    skew: int
    attesters: dict[str, Attester]  # by thumbprint, as are the roots
    roots: dict[str, Root]
    agents: dict[str, dict[str, Reference]]
    platforms: dict[str, Platform]  # by thumbprint
    hardware: set[str]  # the agents of which it is required
    statuses: dict[str, Key]  # who signs which status list
    status_age: int
    stale: set[str]  # the levels that pass without a fresh one


def read_trust(data: bytes) -> Trust:
    value = members(read(data), ("agents", "attesters", "audience", "roots", "skew"), ("platforms", "stale", "status_age", "statuses"))
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
        members(entry, ("issuer", "key", "tools"))
        key = read_key(entry["key"])
        need(key.thumbprint not in roots and key.thumbprint not in attesters)
        roots[key.thumbprint] = Root(key, text(entry["issuer"]), [qualified(t) for t in array(entry["tools"])])
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
    statuses: dict[str, Key] = {}
    for entry in array(value.get("statuses", [])):
        members(entry, ("key", "uri"))
        key = read_key(entry["key"])
        need(key.thumbprint not in attesters and key.thumbprint not in roots)  # rule 3
        need(name(entry["uri"]) not in statuses)  # rule 22
        statuses[entry["uri"]] = key
    age = whole(value["status_age"]) if "status_age" in value else MAX_STATUS_AGE
    need(1 <= age <= MAX_STATUS_AGE)
    stale = value.get("stale", {})
    need(isinstance(stale, dict) and all(k in LEVELS and v in ("accept", "refuse") for k, v in stale.items()))
    accepted = {level for level, what in stale.items() if what == "accept"}
    return Trust(audience, whole(value["skew"]), attesters, roots, agents, platforms, hardware, statuses, age, accepted)


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
