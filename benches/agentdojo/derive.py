"""A delegation for one task, from the task's text and the listing of the server's tools, and from nothing else.

`derive(text, tools)` is a function of its two arguments: no clock, no model, no benchmark. What comes out is a grant: which tools, with which
arguments, and whether their use waits for a person once the agent has read what nobody vouches for.
"""

import re
from dataclasses import dataclass, field

import snowballstemmer

from lexicon import (
    AMBIGUOUS,
    ANSWERS,
    BEFORE_NOUNS,
    BEFORE_VERBS,
    COMMON,
    HANDED_OVER,
    IMPLIES,
    INDEFINITE,
    NOUNS,
    PLACES,
    SUBJECTS,
    VERBS,
)
from schema import Parameter, Tool, tool

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
    """The word and what people say for it: of its own line, or, where it has none, of the lines that it stands in."""
    lines = [table[word]] if word in table else [line for line in table.values() if word in line.split()]
    return {stem(other) for line in lines for other in line.split()} | {stem(word)}


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


def _describes(word: str) -> bool:
    """ "a channel", "the best rated hotel": what is meant is still to be found."""
    return word in INDEFINITE or word == "best" or word.endswith(("est", "ed"))


def _names(word: str) -> bool:
    """Whether a word in small letters before a noun can be its name: "the general channel", and not "the best hotel"."""
    return word.islower() and word not in COMMON and not _describes(word) and not word.endswith("ing")


def destination(text: str, parameter: Parameter, found: Values) -> tuple[str, list[str]]:
    """Whether the text names where this goes ("named", with the values), describes it ("open"), or does not speak of it ("absent")."""
    nouns = {other for word in parameter.words for other in ({stem(word)} if word not in PLACES else near(word, PLACES))}
    spoken, adjacent, described, lower = False, [], False, []
    for clause in SENTENCE.split(SAID.sub(" ", text)):
        words = re.findall(r"[\w@.'’/-]+", clause)
        at = [i for i, word in enumerate(words) if stem(word.strip(".'’")) in nouns and (word.islower() or not i)]
        spoken |= bool(at)
        if parameter.kind == "url":
            described |= bool(at) and not URL.search(clause)
            continue
        for i in at:
            beside = [words[j].strip(".'’\"") for j in (i - 1, i + 1) if 0 <= j < len(words)]
            before = [word.lower() for word in words[max(0, i - 3) : i]]
            partial = i + 1 < len(words) and words[i + 1] in ("starting", "beginning", "ending", "containing", "called", "named")
            named = [name for name in found.name if set(name.split()) & set(beside)]
            if named and not partial:
                adjacent += named
            elif before[-2:-1] == ["the"] and _names(words[i - 1]):
                lower.append(words[i - 1])
            else:
                described |= partial or any(_describes(word) for word in before)
    if adjacent:
        return "named", adjacent
    if described and not (parameter.kind in ("email", "iban") and getattr(found, parameter.kind)):
        return "open", []
    named = lower + list(found.of(parameter.kind))
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


def _is_asked(words: list[str], i: int) -> bool:
    """Whether the word can be a verb that asks for something, by the words beside it."""
    word = words[i]
    before = words[i - 1] if i else None
    if before in BEFORE_NOUNS | SUBJECTS or (word.endswith("ed") and stem(word) != word):
        return False
    if word in ANSWERS and words[i + 1 : i + 2] == ["me"]:
        return False
    ambiguous = any(stem(word) == stem(other) for other in AMBIGUOUS)
    return not ambiguous or (word in AMBIGUOUS and (before is None or before in BEFORE_VERBS))


def _fit(candidate: Tool, verb: str, objects: set[str], text: str, found: Values) -> float:
    """How well a tool fits a verb and what stands beside it; 0 for not at all."""
    first, *rest = candidate.words
    if verb not in near(first, VERBS):
        return 0
    nouns = [word for word in rest if word not in ("to", "from", "in", "of", "by", "the", "for")]
    implied = {stem(IMPLIES[word]) for word in IMPLIES if stem(word) == verb}
    hits = sum(1 for word in nouns if near(word, NOUNS) & (objects - {verb} | implied))
    required = [p for p in candidate.destinations if p.required]
    firm = bool(required) and all(destination(text, p, found)[0] == "named" for p in required)
    # Without its object, a verb speaks of a tool only by somebody whom the text names.
    if not hits and not (firm and all(p.kind != "any" or set(p.words) & set(PLACES) for p in required)):
        return 0
    return hits / max(len(nouns), 1) + (0.5 if firm else 0) + (0.1 if stem(first) == verb else 0)


def _asked(sentence: str, tools: list[Tool], text: str, found: Values) -> set[str]:
    """The tools that the verbs of a sentence ask for: of each verb those that fit its object best."""
    chosen: set[str] = set()
    for part in PART.split(sentence):
        words = words_of(part)
        for i, word in enumerate(words):
            if not _is_asked(words, i):
                continue
            # "Find the hotel and book it": the object can stand in another part.
            for objects in (_objects(part), _objects(sentence)):
                scores = {one.name: _fit(one, stem(word), objects, text, found) for one in tools}
                best = max(scores.values(), default=0)
                if best:
                    chosen |= {name for name, score in scores.items() if score == best}
                    break
    return chosen


def _objects(text: str) -> set[str]:
    return {stem(word) for word in words_of(text) if not word.endswith("ed")}


def derive(text: str, listed: list[dict]) -> Grant:
    """The grant for a task. `listed` is what `tools/list` of the server answers."""
    tools = [tool(one) for one in listed]
    found = values(text)
    effects = [one for one in tools if one.effect]
    handed_over = any(re.search(pattern, text, re.IGNORECASE) for pattern in HANDED_OVER)
    spoken = QUOTED.sub(" ", text)
    asked: set[str] = set()
    for sentence in SENTENCE.split(spoken):
        asked |= _asked(sentence, effects, text, found)
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
        grant.tools[one.name] = {p.name: _constraint(p, *states.get(p.name, ("open", []))) for p in one.parameters} if narrowed else {}
        if not (one.reaches and is_open):
            grant.release.append(one.name)
    return grant
