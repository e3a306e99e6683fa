"""Receipts: what a log says of a call, in the answer to it (spec/receipt.md)."""

import json
from dataclasses import dataclass
from typing import Any

import tasks
from forms import Refused, array, b64_decode, check, digest, members, name, need, reading, text, whole
from labels import NONE, read_some
from logs import read_proof
from merkle import check_inclusion, leaf
from messages import outcome, plain
from notes import LogKeys, open_checkpoint
from strict_json import FormError, JsonDefect, canonical, read
from tokens import Token, read_token

MEMBER = "io.github.agent-attest/receipt"
LONGEST = 262_144
STATUSES = ("result", "tool-error", "error", "cancelled", "unknown")
_PLACES = (("result", "_meta"), ("error", "data"), ("params", "_meta"))


class Receipt(Token):
    typ = "mcp-receipt+jwt"

    def claims(self) -> None:
        """Rule 2."""
        claims = members(self.payload, ("call", "decision", "iat", "idx", "log", "policy", "status"), ("labels", "result"))
        need(claims["decision"] == "allow" and claims["status"] in STATUSES)
        whole(claims["iat"])
        self.index, self.log, self.status = whole(claims["idx"]), name(claims["log"]), claims["status"]
        self.call, self.policy = digest(claims["call"]), digest(claims["policy"])
        self.labels = read_some(claims["labels"]) if "labels" in claims else NONE
        self.result = digest(claims["result"]) if "result" in claims else None


@dataclass(frozen=True)
class Ended:
    """A call that the answer ends, as its caller knows it."""

    call: str
    params: str
    salt: bytes
    how: str

    def outcome(self, answer: bytes) -> tuple[str, str | None]:
        return outcome(answer, self.salt) if self.how == "answer" else tasks.outcome(answer, self.how, self.salt)


def read_ended(words: str) -> list[Ended]:
    parts = (word.split("/") for word in words.split(" "))
    return [Ended(call, params, b64_decode(salt, 16), how) for call, params, salt, how in parts]


def verify(answer: bytes, keys: LogKeys, audience: str, ended: list[Ended]) -> None:
    """Rules 8 to 27. What fails is a Refused with the word of the check in `about`."""
    carried = _carried(answer)
    with reading("bad-receipt", "token"):
        try:
            receipts = [read_token(Receipt, one["receipt"], "token") for one in carried]
        except Refused:
            raise FormError from None
    _check(len(receipts) <= len(ended), "call")
    left = list(zip(receipts, carried))
    for call in ended:
        found = next((pair for pair in left if pair[0].call == call.call), None)
        if found is None:
            _check(len(receipts) == len(ended), "missing")
            raise Refused("bad-receipt", "call")
        left.remove(found)
        _one(*found, keys, audience, call, answer)


def _check(holds: bool, word: str) -> None:
    check(holds, "no-receipt" if word == "missing" else "bad-receipt", word)


def _carried(answer: bytes) -> list[dict[str, str]]:
    """Rules 8 and 9."""
    with reading("no-receipt", "missing"):
        try:
            message = read(answer)
        except JsonDefect:
            raise FormError from None
        need(isinstance(message, dict) and plain(message))
        answers = [(outer, inner) for outer, inner in _PLACES[:2] if outer in message]
        need(len(answers) == (0 if "method" in message else 1))
        outer, inner = answers[0] if answers else _PLACES[2]
        holder = message.get(outer)
        need(isinstance(holder, dict))
        place = holder.get(inner)
        need(isinstance(place, dict) and MEMBER in place)
    with reading("bad-receipt", "form"):
        carried = array(place[MEMBER])
        need(1 <= len(carried) <= 2)
        for one in carried:
            members(one, ("proof", "receipt"))
            text(one["proof"]), text(one["receipt"])
            need(len(canonical(one)) <= LONGEST)
    return carried


def _one(receipt: Receipt, carried: dict[str, str], keys: LogKeys, audience: str, call: Ended, answer: bytes) -> None:
    with reading("bad-receipt", "proof"):
        proof = read_proof(carried["proof"].encode("utf-8"))
        need(proof.entry is not None)
        words = {"bad-checkpoint": "proof", "other-log": "log"}
        try:
            checkpoint = open_checkpoint(keys, proof.checkpoint)
        except Refused as refused:
            raise Refused("bad-receipt", words.get(refused.reason, "checkpoint")) from None
        try:
            check_inclusion(leaf(proof.entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
        except Refused:
            raise FormError from None
    _check(receipt.verifies(keys.at(checkpoint.size).key), "signature")
    with reading("bad-receipt", "entry"):
        entry = _decision(proof.entry)
    status, committed = call.outcome(answer)
    _check(receipt.log == keys.origin, "log")
    _check(receipt.index == proof.index, "index")
    _check(entry["call"] == receipt.call, "call")
    _check(entry["policy"] == receipt.policy, "policy")
    _check(receipt.call == call.call, "call")
    _check(entry["audience"] == audience, "audience")
    _check(entry["params"] == call.params, "params")
    _check(receipt.status == status, "status")
    _check(receipt.result == committed, "result")


def _decision(data: bytes) -> dict[str, Any]:
    """Rule 18, and entry.md."""
    try:
        entry = read(data)
    except JsonDefect:
        raise FormError from None
    need(canonical(entry) == data)
    always = ("agent", "attestation", "audience", "call", "context", "decision", "key", "params", "policy", "time", "type")
    members(entry, always, ("cause", "declassified", "delegation", "labels", "method", "receipts", "tool"))
    need(entry["type"] == "decision" and entry["decision"] == "allow")
    need(("method" in entry) != ("tool" in entry))
    text(entry.get("method", entry.get("tool")))
    for member in ("attestation", "call", "key", "params", "policy"):
        digest(entry[member])
    name(entry["agent"]), name(entry["audience"]), whole(entry["time"]), b64_decode(entry["context"], 16)
    for member in ("declassified", "delegation", "receipts"):
        need(member not in entry or len([digest(one) for one in array(entry[member])]) > 0)
    if "cause" in entry:
        digest(entry["cause"])
    if "labels" in entry:
        read_some(entry["labels"])
    return entry


def seen(answer: bytes) -> bytes:
    """Rule 7: what the host sees."""
    message, whole_text = read(answer), answer.decode("utf-8")
    for outer, inner in _PLACES:
        place = message.get(outer)
        place = place.get(inner) if isinstance(place, dict) else None
        if not isinstance(place, dict) or MEMBER not in place:
            continue
        start = _member(whole_text, 0, outer)[0]
        value, cut_from, cut_to = _member(whole_text, start, inner)
        if len(place) > 1:
            _, cut_from, cut_to = _member(whole_text, value, MEMBER)
        whole_text = whole_text[:cut_from] + whole_text[cut_to:]
    return whole_text.encode("utf-8")


def _member(whole_text: str, at: int, wanted: str) -> tuple[int, int, int]:
    """Of a member of the object at `at`: where its value begins, and what goes with the member."""

    def blanks(at: int) -> int:
        return at + len(whole_text[at:]) - len(whole_text[at:].lstrip(" \t\r\n"))

    decoder, comma = json.JSONDecoder(), None
    at = blanks(blanks(at) + 1)
    while True:
        start = at
        found, at = decoder.raw_decode(whole_text, at)
        value = blanks(blanks(at) + 1)
        _, at = decoder.raw_decode(whole_text, value)
        end, at = at, blanks(at)
        more = whole_text[at] == ","
        if found == wanted:
            return (value, start, at + 1) if more else (value, start if comma is None else comma, end)
        comma, at = at, blanks(at + 1)
