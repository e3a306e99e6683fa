"""What Python reads in a document: the counterpart of tests/tests/differential.rs.

Batches come in on standard input: the length of what follows (u32, big-endian), then for each document its length (u32), a
mode (one byte) and its bytes; the length counts the mode. One answer per document goes out: its length (u32) and its bytes.

  H  the names of the readings that find a tools/call, separated by commas; nothing where none does
  B  the same for the body of an HTTP request, which nobody cuts into lines
  F  the one call that every reading finds, in normal form, or `!` and what differs
  P  the whole document in normal form, as json.loads reads it, or `!` and why it does not

Normal form: n t f; d and the 16 hex digits of a double; s, length in bytes, colon, UTF-8; a or o, count, colon, the
elements or the members ordered by the bytes of their names. A whole number that no double holds is i and its digits: two
readers disagree about it. In mode P such a number is the nearest double where that is 10^21 or more.
"""

import json
import math
import re
import struct
import sys

import pydantic_core

sys.setrecursionlimit(2_000)

CALL = "tools/call"
# What readers do with bytes: as strict as Python's own, byte-order mark dropped, damage replaced or dropped ...
UTF_8 = [
    ("utf-8", "strict"),
    ("utf-8-sig", "strict"),
    ("utf-8", "replace"),
    ("utf-8", "ignore"),
    ("utf-8", "surrogatepass"),
]
# ... or by charset. What is forwarded says that it is UTF-8, so these are asked about what passes alone.
CHARSETS = [
    ("latin-1", "strict"),
    ("utf-16", "replace"),
    ("utf-16-le", "replace"),
    ("utf-16-be", "replace"),
    ("utf-32", "replace"),
    ("utf-32-le", "replace"),
    ("utf-32-be", "replace"),
]
# What may stand between two texts of one stream: blanks, NUL, RFC 7464's record separator, a byte-order mark.
BETWEEN = re.compile("[ \t\r\n\0\x1e\ufeff]*")
UNIVERSAL = re.compile("\r\n|\r|\n")


class Members(list):
    """An object's members, all of them, in the order of the text."""


decoder = json.JSONDecoder(object_pairs_hook=Members, strict=False)


def texts(data, decodings, lines):
    """Every text that some reader makes of the bytes, with the reader's name, each text once."""
    seen = set()
    for encoding, errors in decodings:
        try:
            text = data.decode(encoding, errors)
        except UnicodeDecodeError:
            continue
        if text in seen:
            continue
        name = encoding if errors == "strict" else f"{encoding}-{errors}"
        yield from fresh(seen, name, text)
        yield from fresh(seen, f"{name}/strip", text.strip())
        if "\0" in text:
            yield from fresh(seen, f"{name}/nul", text.split("\0")[0])
        if not lines:
            continue
        for piece in UNIVERSAL.split(text):
            yield from fresh(seen, f"{name}/universal", piece)
        for piece in text.splitlines():
            yield from fresh(seen, f"{name}/splitlines", piece)


def fresh(seen, name, text):
    # Without a brace there is no message.
    if "{" in text and text not in seen:
        seen.add(text)
        yield name, text


def values(text):
    """The values of a stream of texts, up to the first that is none."""
    at = BETWEEN.match(text).end()
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield value
        at = BETWEEN.match(text, at).end()


def cut(text):
    """A text as a reader in C sees it."""
    return text.split("\0", 1)[0]


def fold(name):
    return cut(name).casefold()


def same(name):
    return name


# Which of several members of one name counts, and what is one name.
CHOICES = [("last", same, -1), ("first", same, 0), ("fold-last", fold, -1), ("fold-first", fold, 0)]


def member(members, wanted, name_of, which):
    found = [value for name, value in members if name_of(name) == wanted]
    return found[which] if found else None


def messages(value):
    if isinstance(value, Members):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from messages(item)


def calls(data, decodings, lines=True):
    """Each call that some reading finds: its name, and the members of the message as that reading has them."""
    for name, text in texts(data, decodings, lines):
        for number, value in enumerate(values(text)):
            batch = "" if isinstance(value, Members) else "/array"
            stream = "/stream" if number else ""
            for message in messages(value):
                if not any(fold(key) == "method" for key, _ in message):
                    continue
                for choice, name_of, which in CHOICES:
                    method = member(message, "method", name_of, which)
                    if isinstance(method, str) and (method == CALL or (name_of is fold and cut(method) == CALL)):
                        yield f"{name}{batch}{stream}/{choice}", message, name_of, which
    for name, read in PLAIN:
        try:
            value = read(data)
        except (ValueError, RecursionError):
            continue
        for message in value if isinstance(value, list) else [value]:
            if isinstance(message, dict) and message.get("method") == CALL:
                yield name, Members(message.items()), same, -1


def pydantic(data):
    """The reader behind the Python SDK."""
    return pydantic_core.from_json(data)


PLAIN = [("json.loads", json.loads), ("pydantic", pydantic)]


def hunt(data, lines=True):
    return ",".join(dict.fromkeys(name for name, *_ in calls(data, UTF_8 + CHARSETS, lines))).encode()


def hunt_in_body(data):
    return hunt(data, lines=False)


def forwarded(data):
    forms = {}
    found = list(calls(data, UTF_8))
    for name, message, name_of, which in found:
        params = member(message, "params", name_of, which)
        if isinstance(params, dict):
            params = Members(params.items())
        if not isinstance(params, Members):
            return f"!{name}: no params".encode()
        form = bytearray()
        write(member(params, "name", name_of, which), form, True)
        arguments = [value for key, value in params if name_of(key) == "arguments"]
        write(arguments[which], form, True) if arguments else form.extend(b"-")
        forms.setdefault(bytes(form), name)
    if "json.loads" not in (name for name, *_ in found):
        return b"!json.loads finds no call"
    if len(forms) > 1:
        return b"!" + b" | ".join(name.encode() + b" " + form for form, name in forms.items())
    return next(iter(forms))


def plain(data):
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return f"!{error}".encode()
    form = bytearray()
    write(value, form, False)
    return bytes(form)


def write(value, out, exact):
    if value is None:
        out += b"n"
    elif value is True:
        out += b"t"
    elif value is False:
        out += b"f"
    elif isinstance(value, (int, float)):
        write_number(value, out, exact)
    elif isinstance(value, str):
        write_text(value, out)
    elif isinstance(value, (dict, Members)):
        members = list(value.items()) if isinstance(value, dict) else value
        out += b"o%d:" % len(members)
        for name, item in sorted(members, key=lambda pair: pair[0].encode("utf-8", "surrogatepass")):
            write_text(name, out)
            write(item, out, exact)
    else:
        out += b"a%d:" % len(value)
        for item in value:
            write(item, out, exact)


def write_text(value, out):
    data = value.encode("utf-8", "surrogatepass")
    out += b"s%d:" % len(data)
    out += data


def write_number(value, out, exact):
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    # Of whole numbers from 10^21 on the nearest double is what our rules say that a reader takes.
    if double != value and (exact or abs(double) < 1e21):
        out += b"i%d" % value
        return
    out += b"d" + struct.pack(">d", double + 0.0 if double else 0.0).hex().encode()


MODES = {ord("H"): hunt, ord("B"): hunt_in_body, ord("F"): forwarded, ord("P"): plain}


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while length := source.read(4):
        # The whole batch first: whoever sent it reads no answer before it is sent.
        batch = source.read(int.from_bytes(length, "big"))
        at = 0
        while at < len(batch):
            end = at + 4 + int.from_bytes(batch[at : at + 4], "big")
            answer = MODES[batch[at + 4]](batch[at + 5 : end])
            sink.write(len(answer).to_bytes(4, "big"))
            sink.write(answer)
            at = end
        sink.flush()


if __name__ == "__main__":
    main()
