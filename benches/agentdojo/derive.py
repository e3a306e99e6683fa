"""A delegation for one task, from the task's text and the listing of the server's tools, and from nothing else.

`derive(text, tools)` is a function of its two arguments: no clock, no model, no benchmark. What comes out is a grant: which tools, with which
arguments, and whether their use waits for a person once the agent has read what nobody vouches for.
"""

import re
from dataclasses import dataclass, field

import snowballstemmer

from lexicon import BEFORE_NOUNS, COMMON, HANDED_OVER, IMPLIES, INDEFINITE, NOUNS, SUBJECTS, VERBS
from schema import Parameter, Tool, split, tool

_stemmer = snowballstemmer.stemmer("english")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
URL = re.compile(r"\b(?:https?://|www\.)[\w-]+(?:\.[a-z\d-]+)+(?:/[\w./~%-]*[\w/])?")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{8,30}\b")
QUOTED = re.compile(r"(?<!\w)['\"‘“]([^'\"‘’“”]{1,60})['\"’”](?!\w)")
FILE = re.compile(r"^[\w .-]+\.[a-z]{2,4}$")
# What is to be said, and so names nothing: after a colon, or long in quotes.
SAID = re.compile(r"\b(message|content|subject|question|saying|text|body): .*?(?=[.!?](?:\s|$)|$)", re.IGNORECASE | re.DOTALL)
IMPERATIVES = {word for verbs in VERBS.values() for word in verbs.split()}
NAME = re.compile(r"\b[A-Z][\w&-]*(?: (?:(?:of|de|la|the|du|des) )?[A-Z][\w&-]*)*")
PART = re.compile(r",| and | then |\(|\)|:")
SENTENCE = re.compile(r"(?<=[a-z\d'\")])[.!?;]+(?:\s+|(?=[A-Z]))|\n+")


@dataclass
class Grant:
    """Tool → constraints by argument; no constraints is any arguments."""

    root: str = "owner"
    tools: dict[str, dict[str, dict]] = field(default_factory=dict)
    release: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Values:
    email: tuple[str, ...]
    url: tuple[str, ...]
    iban: tuple[str, ...]
    name: tuple[str, ...]

    def of(self, kind: str) -> tuple[str, ...]:
        if kind == "iban":
            return self.iban + self.name
        if kind == "any":
            return self.name + self.email + self.iban
        return getattr(self, kind)


def stem(word: str) -> str:
    return _stemmer.stemWord(word.lower())


def stems(text: str) -> list[str]:
    return [stem(word) for word in words_of(text)]


def words_of(text: str) -> list[str]:
    text = re.sub(r"\bset(s|ting)? up\b", "setup", text.lower().replace("e-mail", "email"))
    return re.findall(r"[a-z]+(?:-[a-z]+)?", text.replace("make sure", " "))


def near(word: str, table: dict[str, str]) -> set[str]:
    return {stem(other) for other in table.get(word, word).split()} | {stem(word)}


def values(text: str) -> Values:
    """What stands in the text and could be where something goes."""
    emails, ibans = EMAIL.findall(text), IBAN.findall(text)
    urls = URL.findall(EMAIL.sub(" ", text))
    rest = SAID.sub(" ", IBAN.sub(" ", URL.sub(" ", EMAIL.sub(" ", text))))
    quoted = [one.strip(" .,!?:") for one in QUOTED.findall(rest)]
    names = [one for one in quoted if len(one.split()) <= 5 and not FILE.match(one)]
    for run in NAME.findall(rest):
        words = run.split()
        while words and words[0].lower() in COMMON | IMPERATIVES | {"the", "of"}:
            words = words[1:]
        if words:
            names.append(" ".join(words))
            names += [word for word in words if word.lower() not in COMMON]
    return Values(*(tuple(dict.fromkeys(found)) for found in (emails, urls, ibans, names)))


def destination(text: str, parameter: Parameter, found: Values) -> tuple[str, list[str]]:
    """Whether the text names where this goes ("named", with the values), describes it ("open"), or does not speak of it ("absent")."""
    nouns = {other for word in parameter.words for other in near(word, NOUNS)}
    spoken, adjacent, described = False, [], False
    for clause in SENTENCE.split(text):
        words = re.findall(r"[\w@.'’/-]+", clause)
        at = [i for i, word in enumerate(words) if stem(word.strip(".'’")) in nouns]
        spoken |= bool(at)
        if parameter.kind == "url":
            described |= bool(at) and not URL.search(clause)
            continue
        for i in at:
            beside = [words[j].strip(".'’\"") for j in (i - 1, i + 1) if 0 <= j < len(words)]
            before = [word.lower() for word in words[max(0, i - 3) : i]]
            partial = i + 1 < len(words) and words[i + 1] in ("starting", "beginning", "ending", "containing", "called", "named")
            named = [word for word in beside if word in found.name]
            if named and not partial:
                adjacent += named
            elif i and words[i - 1].islower() and i > 1 and words[i - 2].lower() == "the" and not set(before) & set(INDEFINITE.split()):
                adjacent.append(words[i - 1])
            else:
                described |= bool(set(before) & set(INDEFINITE.split())) or partial
    if described:
        return "open", []
    if adjacent:
        return "named", adjacent
    named = list(found.of(parameter.kind))
    if named:
        return "named", named
    return ("open" if parameter.required or spoken else "absent"), []


def _constraint(parameter: Parameter, state: str, named: list[str]) -> dict:
    if state == "open" or parameter.kind == "free":
        return {"constraint_type": "wildcard"}
    allowed: list = [] if parameter.required else [None]
    if parameter.many:
        subset = {"constraint_type": "subset", "allowed": named}
        null = {"constraint_type": "one_of", "values": allowed}
        return {"constraint_type": "any", "constraints": [null, subset]} if allowed else subset
    return {"constraint_type": "one_of", "values": allowed + named}


def _asked(clause: str, tools: list[Tool], text: str, found: Values) -> set[str]:
    """The tools that the verbs of a clause ask for: of each verb those that fit its object best."""
    words = words_of(clause)
    objects = set(stems(clause))
    chosen: set[str] = set()
    for i, word in enumerate(words):
        verb = stem(word)
        if i and words[i - 1] in BEFORE_NOUNS | SUBJECTS or word.endswith("ed") and verb != word:
            continue
        scores: dict[str, float] = {}
        for candidate in tools:
            first, *rest = candidate.words
            if verb not in near(first, VERBS):
                continue
            nouns = [word for word in rest if word not in ("to", "from", "in", "of", "by", "the", "for")]
            implied = {stem(IMPLIES[word]) for word in IMPLIES if stem(word) == verb}
            hits = sum(1 for word in nouns if near(word, NOUNS) & (objects - {verb} | implied) or stem(word) in implied)
            states = [destination(text, p, found)[0] for p in candidate.destinations if p.required]
            firm = bool(states) and all(state == "named" for state in states)
            if not hits and not firm:
                continue
            scores[candidate.name] = hits / max(len(nouns), 1) + (0.5 if firm else 0) + (0.1 if stem(first) == verb else 0)
        if scores:
            best = max(scores.values())
            chosen |= {name for name, score in scores.items() if score == best}
    return chosen


def derive(text: str, listed: list[dict]) -> Grant:
    """The grant for a task. `listed` is what `tools/list` of the server answers."""
    tools = [tool(one) for one in listed]
    found = values(text)
    effects = [one for one in tools if one.effect]
    handed_over = any(re.search(pattern, text, re.IGNORECASE) for pattern in HANDED_OVER)
    spoken = QUOTED.sub(" ", text)
    asked: set[str] = set()
    for clause in (part for sentence in SENTENCE.split(spoken) for part in PART.split(sentence)):
        asked |= _asked(clause, effects, text, found)
    grant = Grant()
    for one in tools:
        states = {p.name: destination(text, p, found) for p in one.destinations}
        if one.reaches:
            mentioned = any(set(stems(text)) & near(word, NOUNS | {"webpage": NOUNS["webpage"] + " article link url"}) for word in one.words[1:])
            if not found.url and not mentioned:
                continue
        elif one.effect and handed_over:
            states = {name: ("open", []) for name in states}
            grant.root = "ask-first"
        elif one.effect and one.name not in asked:
            continue
        is_open = any(state == "open" for state, _ in states.values())
        if one.effect and is_open:
            grant.root = "ask-first"
        narrowed = any(state != "open" for state, _ in states.values())
        grant.tools[one.name] = {
            p.name: _constraint(p, *states.get(p.name, ("open", []))) for p in one.parameters
        } if narrowed else {}
        if not (one.reaches and is_open):
            grant.release.append(one.name)
    return grant


__all__ = ["Grant", "derive", "split"]
