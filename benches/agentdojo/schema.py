"""What the listing of a tool says about it: whether it reads, what each parameter is for. Knows nothing of tasks.

Whatever is not recognised counts as the worse thing: a tool as one with effects, its answer as untrusted, a text parameter as a destination.
"""

import re
from dataclasses import dataclass

READING = {"get", "read", "list", "search", "find", "check", "fetch", "view", "show", "query", "count", "lookup", "describe"}

# Answers of tools about these alone are the principal's own records, an address book among them, or a clock. All else has others' words in it.
OWN = set("iban balance user info information current day date time my profile contact contacts by name email".split())

CONTENT = set(
    "body content contents subject title description text message note notes comment summary query name filename location attachment attachments permission status type category format language priority color".split()
)
PERSONAL = set("first last street city zip postcode country birthday phone gender".split())
WHEN = set("date time start end day month year hour deadline".split())
URL = {"url", "link", "uri", "href"}


@dataclass(frozen=True)
class Parameter:
    name: str
    required: bool
    many: bool  # an array of texts
    kind: str  # url, email, iban, any: destinations; free: nothing that a task would have to name
    default: object

    @property
    def words(self) -> list[str]:
        return split(self.name)


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    parameters: tuple[Parameter, ...]

    @property
    def words(self) -> list[str]:
        return split(self.name)

    @property
    def reads(self) -> bool:
        return self.words[0] in READING

    @property
    def destinations(self) -> list[Parameter]:
        """Of a tool that reads only what reaches out of the server."""
        found = [p for p in self.parameters if p.kind != "free"]
        return [p for p in found if p.kind == "url"] if self.reads else found

    @property
    def effect(self) -> bool:
        return not self.reads

    @property
    def reaches(self) -> bool:
        return self.reads and bool(self.destinations)

    @property
    def untrusted(self) -> bool:
        about = set(self.words[1:])
        return self.reads and not (about <= OWN and about != {"email"})


def split(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Za-z][a-z]*|\d+", name)]


def _types(schema: dict) -> set[str]:
    """The plain types; a reference (an enumeration, an object) is none."""
    parts = schema.get("anyOf", [schema])
    found = set()
    for part in parts:
        if "enum" in part or "$ref" in part or "type" not in part:
            found.add("other")
        elif part["type"] == "array":
            found.add("texts" if part.get("items", {}).get("type") == "string" else "other")
        else:
            found.add(part["type"])
    return found - {"null"}


def _kind(name: str, about: str, tool: str, types: set[str]) -> str:
    words = set(split(name))
    if not types & {"string", "texts"}:
        return "free"
    if words & URL:
        return "url"
    if "email" in words or "e-mail" in about or ("email" in about and "id" not in words):
        return "free" if words & CONTENT else "email"
    if "iban" in about or "iban" in words:
        return "iban"
    if words & (CONTENT | PERSONAL | WHEN) or "id" in words or "ids" in words:
        return "free"
    if "email" in split(tool) and words & {"recipient", "recipients", "to", "cc", "bcc"}:
        return "email"
    return "any"


def tool(listed: dict) -> Tool:
    """From one element of an answer to `tools/list`."""
    schema = listed["inputSchema"]
    required = set(schema.get("required", []))
    parameters = []
    for name, about in schema.get("properties", {}).items():
        types = _types(about)
        kind = _kind(name, about.get("description", "").lower(), listed["name"], types)
        parameters.append(Parameter(name, name in required, "texts" in types, kind, about.get("default")))
    return Tool(listed["name"], listed.get("description", ""), tuple(parameters))
