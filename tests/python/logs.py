"""What travels about a log: proofs of entries, tiles, requests to witnesses, policies (spec/tlog-proof.md, tile.md, witness.md, log-policy.md)."""

import re
from dataclasses import dataclass, field

from forms import Refused, check, need
from merkle import EMPTY_ROOT, LARGEST, check_consistency, check_inclusion, hashes, leaf, number, padded
from notes import LONGEST, Checkpoint, LogKeys, Note, Vkey, cosigned, open_checkpoint, read_checkpoint, read_lines, read_note, read_vkey
from strict_json import FormError

LONGEST_PROOF, LONGEST_REQUEST, LONGEST_POLICY, MOST = 262_144, 133_939, 65_536, 32


def utf_8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormError from None


# tlog-proof.md


@dataclass(frozen=True)
class Proof:
    entry: bytes | None
    index: int
    path: list[bytes]
    checkpoint: bytes


def read_proof(data: bytes) -> Proof:
    """Rule 1."""
    need(len(data) <= LONGEST_PROOF)
    head, separator, checkpoint = utf_8(data).partition("\n\n")
    need(bool(separator))
    lines = head.split("\n")
    need(lines.pop(0) == "c2sp.org/tlog-proof@v1" and bool(lines))
    entry = padded(lines.pop(0)[6:]) if lines[0].startswith("extra ") else None
    need(bool(lines) and lines[0].startswith("index ") and len(lines) <= 64)
    return Proof(entry, number(lines[0][6:]), hashes(lines[1:]), checkpoint.encode("utf-8"))


def check_proof(data: bytes, keys: LogKeys, given: bytes | None) -> tuple[int, int]:
    """Rules 4 and 5: index and size."""
    try:
        proof = read_proof(data)
    except FormError:
        raise Refused("bad-proof") from None
    entry = proof.entry if given is None else given
    if entry is None:
        raise Refused("no-entry")
    checkpoint = open_checkpoint(keys, proof.checkpoint)
    check_inclusion(leaf(entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return proof.index, checkpoint.size


# tile.md

_PATH = re.compile(r"tile/(entries|[0-6])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


def read_path(path: str) -> str:
    """Rules 1 to 5, in the words of the vectors."""
    if path == "checkpoint":
        return path
    match = _PATH.fullmatch(path)
    if match is None:
        raise FormError
    need(not match[2].startswith("x000"))
    index, width = int(re.sub("[x/]", "", match[2])), int(match[3] or 256)
    need(match[3] is None or width < 256)
    level = 0 if match[1] == "entries" else int(match[1])
    need((index * 256 + width) * 256**level <= LARGEST)
    return f"entries {index} {width}" if match[1] == "entries" else f"tile {level} {index} {width}"


def width_of(level: int, index: int, size: int) -> int | None:
    """Rule 7."""
    if level > 6 or size > LARGEST:
        return None
    left = size // 256**level - index * 256
    return min(left, 256) if left > 0 else None


def read_bundle(data: bytes, width: int) -> list[bytes]:
    """Rule 9."""
    need(1 <= width <= 256)
    entries = []
    for _ in range(width):
        need(len(data) >= 2)
        end = 2 + int.from_bytes(data[:2], "big")
        need(len(data) >= end)
        entries.append(data[2:end])
        data = data[end:]
    need(not data)
    return entries


# witness.md


@dataclass(frozen=True)
class Record:
    size: int
    root: bytes


def _read_request(data: bytes) -> tuple[int, list[bytes], Note, Checkpoint]:
    """Rule 1."""
    need(len(data) <= LONGEST_REQUEST)
    head, separator, checkpoint = utf_8(data).partition("\n\n")
    lines = head.split("\n")
    need(bool(separator) and lines[0].startswith("old ") and len(lines) <= 64)
    old, proof = number(lines[0][4:]), hashes(lines[1:])
    try:
        note = read_note(checkpoint.encode("utf-8"))
    except Refused:
        raise FormError from None
    return old, proof, note, read_checkpoint(note.text)


def decide(data: bytes, keys: LogKeys, record: Record | None) -> tuple[int, Record | None]:
    """Rules 3 to 9 of a witness that watches one log: the status, and what it has cosigned afterwards."""
    try:
        old, proof, note, checkpoint = _read_request(data)
    except FormError:
        return 400, record
    if checkpoint.origin != keys.origin:
        return 404, record
    try:
        keys.open(note)
    except Refused:
        return 403, record
    if old > checkpoint.size:
        return 400, record
    known = record or Record(0, EMPTY_ROOT)
    if old != known.size:
        return 409, record
    try:
        check_consistency(known.size, known.root, checkpoint.size, checkpoint.root, proof)
    except Refused:
        return 422, record
    return 200, Record(checkpoint.size, checkpoint.root)


def read_answer(data: bytes, text: str, witness: Vkey) -> int:
    """Rule 13: the time."""
    try:
        answer = utf_8(data)
        need(len(data) <= LONGEST)
        note = Note(text, read_lines(answer))
    except FormError:
        raise Refused("bad-note") from None
    return cosigned(note, witness)


# log-policy.md


class PolicyError(FormError):
    def __init__(self, line: int | None) -> None:
        super().__init__()
        self.line = line


@dataclass
class Policy:
    logs: list[Vkey] = field(default_factory=list)
    witnesses: dict[str, Vkey] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None

    def defined(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _satisfied(self, name: str, by: set[str]) -> bool:
        if name in self.witnesses:
            return name in by
        needed, members = self.groups[name]
        return sum(self._satisfied(member, by) for member in members) >= needed

    def satisfied(self, by: set[str]) -> bool:
        """Rule 10."""
        return self.quorum == "none" or (self.quorum is not None and self._satisfied(self.quorum, by))

    def cosigned(self, note: Note) -> dict[str, int]:
        """Rule 9: who cosigned, and when."""
        times = {}
        for name, key in self.witnesses.items():
            try:
                times[name] = cosigned(note, key)
            except Refused as refused:
                if refused.reason != "not-signed":
                    raise
        return times

    def signed(self, note: Note) -> str:
        """Rule 13, for the logs of the policy; `accept` or a code of checkpoint.md."""
        checkpoint = read_checkpoint(note.text)
        keys = [log for log in self.logs if log.name == checkpoint.origin]
        outcomes = set()
        for key in keys:
            try:
                note.verify(key)
                outcomes.add("accept")
            except Refused as refused:
                outcomes.add(refused.reason)
        order = ("bad-signature", "accept", "not-signed")
        return next((outcome for outcome in order if outcome in outcomes), "other-log")


def read_policy(data: bytes) -> Policy:
    """Rules 1 to 8."""
    if len(data) > LONGEST_POLICY:
        raise PolicyError(None)
    policy = Policy()
    members: set[str] = set()
    lines = data.split(b"\n")
    rest = lines.pop()
    for at, line in enumerate(lines, 1):
        try:
            _policy_line(policy, members, line)
        except FormError:
            raise PolicyError(at) from None
    if rest:
        raise PolicyError(len(lines) + 1)
    if policy.quorum is None:
        raise PolicyError(None)
    return policy


def _policy_line(policy: Policy, members: set[str], line: bytes) -> None:
    need(not any((c < 0x20 and c != 9) or c == 0x7F for c in line))
    bare = line.strip(b" \t")
    if not bare or bare.startswith(b"#"):
        return
    words = [word for word in re.split("[ \t]", utf_8(bare)) if word]
    match words:
        case ["log", vkey] | ["log", vkey, _]:
            policy.logs.append(_new_key(policy, vkey, 1))
            need(len(policy.logs) <= MOST)
        case ["witness", name, vkey] | ["witness", name, vkey, _]:
            need(not policy.defined(name) and name != "none")
            policy.witnesses[name] = _new_key(policy, vkey, 4)
            need(len(policy.witnesses) <= MOST)
        case ["group", name, needed, *names] if names:
            need(not policy.defined(name) and name != "none")
            for member in names:
                need(policy.defined(member) and member not in members)
                members.add(member)
            k = {"any": 1, "all": len(names)}.get(needed)
            k = number(needed) if k is None else k
            need(1 <= k <= len(names))
            policy.groups[name] = (k, names)
            need(len(policy.groups) <= MOST)
        case ["quorum", name]:
            need(policy.quorum is None and (name == "none" or policy.defined(name)))
            policy.quorum = name
        case _:
            raise FormError


def _new_key(policy: Policy, text: str, kind: int) -> Vkey:
    key = read_vkey(text)
    need(key.kind == kind and all(key.key.x != other.key.x for other in [*policy.logs, *policy.witnesses.values()]))
    return key
