"""Notes and what is built of them: keys, checkpoints, cosignatures (spec/note.md, checkpoint.md, cosignature.md)."""

import hashlib
from dataclasses import dataclass

from forms import Refused, check, need
from keys import Key, enrol
from merkle import LARGEST, hash_of, number, padded
from strict_json import FormError

LONGEST = 131_072
_WHITE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
_CONTROL = {*range(0x20), *range(0x7F, 0xA0)}


def key_name(text: str) -> str:
    """note.md, rule 3."""
    need(1 <= len(text.encode("utf-8")) <= 256)
    need(not any(c == "+" or ord(c) in _WHITE or ord(c) in _CONTROL for c in text))
    return text


@dataclass(frozen=True)
class Vkey:
    name: str
    kind: int
    id: bytes
    key: Key


def read_vkey(text: str) -> Vkey:
    """note.md, rules 3 to 6."""
    parts = text.split("+", 2)
    need(len(parts) == 3)
    name, key_id, data = key_name(parts[0]), parts[1], padded(parts[2])
    need(len(data) == 33 and data[0] in (1, 4))
    digest = hashlib.sha256(name.encode("utf-8") + b"\n" + data).digest()[:4]
    need(key_id == digest.hex())
    return Vkey(name, data[0], digest, enrol(data[1:]))


@dataclass(frozen=True)
class Line:
    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    text: str
    lines: list[Line]

    def signature(self, key: Vkey) -> bytes:
        """note.md, rules 7 and 9: what stands behind the id in the key's line."""
        found = {line.signature for line in self.lines if (line.name, line.id) == (key.name, key.id)}
        check(bool(found), "not-signed")
        check(len(found) == 1, "bad-signature")
        return found.pop()

    def verify(self, key: Vkey) -> None:
        """note.md, rules 7 to 9."""
        signature = self.signature(key)
        check(key.kind == 1 and key.key.verifies(signature, self.text.encode("utf-8")), "bad-signature")


def _decode(data: bytes) -> str:
    need(len(data) <= LONGEST)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormError from None
    need(not any(c < " " and c != "\n" for c in text))
    return text


def read_lines(text: str) -> list[Line]:
    """note.md, rule 2."""
    need(text.endswith("\n"))
    lines = text[:-1].split("\n")
    need(len(lines) <= 64)
    return [_line(line) for line in lines]


def _line(line: str) -> Line:
    words = line.split(" ")
    need(len(words) == 3 and words[0] == "\u2014")
    data = padded(words[2])
    need(len(data) >= 5)
    return Line(key_name(words[1]), data[:4], data[4:])


def read_note(data: bytes) -> Note:
    """note.md, rules 1 to 3."""
    try:
        whole = _decode(data)
        at = whole.rfind("\n\n")
        need(at >= 0)
        return Note(whole[: at + 1], read_lines(whole[at + 2 :]))
    except FormError:
        raise Refused("bad-note") from None


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def read_checkpoint(text: str) -> Checkpoint:
    """checkpoint.md, rules 1 and 2."""
    need(text.endswith("\n"))
    lines = text[:-1].split("\n")
    need(len(lines) >= 3 and all(lines))
    size = number(lines[1])
    need(size <= LARGEST)
    return Checkpoint(lines[0], size, hash_of(lines[2]))


@dataclass(frozen=True)
class LogKeys:
    """checkpoint.md, rules 6 and 7: keys, each with the largest size that it signs."""

    keys: list[tuple[Vkey, int]]

    @property
    def origin(self) -> str:
        return self.keys[0][0].name

    def at(self, size: int) -> Vkey:
        """The key in force for trees of this size."""
        return next(key for key, until in self.keys if size <= until)

    def open(self, note: Note) -> Checkpoint:
        """checkpoint.md, rule 8."""
        try:
            checkpoint = read_checkpoint(note.text)
        except FormError:
            raise Refused("bad-checkpoint") from None
        check(checkpoint.origin == self.origin, "other-log")
        at = next(at for at, (_, until) in enumerate(self.keys) if checkpoint.size <= until)
        try:
            note.verify(self.keys[at][0])
        except Refused as refused:
            check(refused.reason != "not-signed" or not self._signed_by_another(note, at), "key-not-in-force")
            raise
        return checkpoint

    def _signed_by_another(self, note: Note, at: int) -> bool:
        return any(_verifies(note, key) for other, (key, _) in enumerate(self.keys) if other != at)


def _verifies(note: Note, key: Vkey) -> bool:
    try:
        note.verify(key)
    except Refused:
        return False
    return True


def read_log_keys(text: str) -> LogKeys:
    """checkpoint.md, rule 6."""
    lines = text.removesuffix("\n").split("\n")
    keys = []
    for line in lines[:-1]:
        words = line.split(" ")
        need(len(words) == 3 and words[1] == "until")
        keys.append((read_vkey(words[0]), number(words[2])))
    sizes = [until for _, until in keys]
    need(sizes == sorted(set(sizes)) and all(until <= LARGEST for until in sizes))
    # The last has no end; no size above 2^48 is looked at.
    keys.append((read_vkey(lines[-1]), LARGEST))
    need(all(key.kind == 1 and key.name == keys[0][0].name for key, _ in keys))
    need(len({key.key.x for key, _ in keys}) == len(keys))
    return LogKeys(keys)


def open_checkpoint(keys: LogKeys, data: bytes) -> Checkpoint:
    """A checkpoint from its bytes."""
    try:
        note = read_note(data)
    except Refused:
        raise Refused("bad-checkpoint") from None
    return keys.open(note)


def cosigned(note: Note, witness: Vkey) -> int:
    """cosignature.md, rules 1 to 4: the time."""
    data = note.signature(witness)
    check(len(data) == 72 and witness.kind == 4, "bad-signature")
    time = int.from_bytes(data[:8], "big")
    check(1 <= time < 2**63, "bad-signature")
    message = f"cosignature/v1\ntime {time}\n{note.text}".encode("utf-8")
    check(witness.key.verifies(data[8:], message), "bad-signature")
    return time
