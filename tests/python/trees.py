"""The vectors about the log, run: kinds `inclusion` to `witnessed` of spec/vectors/README.md."""

from pathlib import Path

import logs
from forms import Refused, b64_decode, b64_encode, sha256
from merkle import check_consistency, check_inclusion, hash_of, hashes, leaf, root
from notes import LogKeys, cosigned, open_checkpoint, read_log_keys, read_note, read_vkey

Result = dict[str, str | bytes | None]
RESULTS = ("type", "size", "root", "time", "index", "is", "recorded", "latest", "line", "log", "witnesses")
INPUTS = ("vkey", "keys", "entry", "width", "record", "text", "by", "policy", "from", "to")
# Kinds whose bodies are refused without a code.
REFUSING = ("vkey", "log-keys", "tile-path", "bundle")


def run(header: dict[str, str], body: bytes, folder: Path) -> Result:
    try:
        return _run(header, body, folder)
    except Refused as refused:
        return {"expect": refused.reason}


def _keys(header: dict[str, str], folder: Path) -> LogKeys:
    return read_log_keys((folder / header["keys"]).read_text("utf-8"))


def _run(header: dict[str, str], body: bytes, folder: Path) -> Result:
    match header["kind"]:
        case "inclusion":
            lines = body.decode("ascii").split("\n")[:-1]
            entry, index, size, expected = (line.split(" ")[1] for line in lines[:4])
            check_inclusion(hash_of(entry), int(index), int(size), hashes(lines[4:]), hash_of(expected))
            return {"expect": "good"}
        case "consistency":
            lines = body.decode("ascii").split("\n")[:-1]
            (_, old, old_root), (_, new, new_root) = (line.split(" ") for line in lines[:2])
            check_consistency(int(old), hash_of(old_root), int(new), hash_of(new_root), hashes(lines[2:]))
            return {"expect": "good"}
        case "vkey":
            return {"expect": "accept", "type": {1: "log", 4: "witness"}[read_vkey(logs.utf_8(body)).kind]}
        case "note":
            note = read_note(body)
            note.verify(read_vkey(header["vkey"]))
            return {"expect": "accept", "digest": sha256(note.text.encode("utf-8"))}
        case "checkpoint":
            checkpoint = open_checkpoint(_keys(header, folder), body)
            return {"expect": "accept", "size": str(checkpoint.size), "root": checkpoint.root}
        case "log-keys":
            read_log_keys(logs.utf_8(body))
            return {"expect": "accept"}
        case "cosignature":
            return {"expect": "accept", "time": str(cosigned(read_note(body), read_vkey(header["vkey"])))}
        case "tlog-proof":
            given = b64_decode(header["entry"]) if "entry" in header else None
            index, size = logs.check_proof(body, _keys(header, folder), given)
            return {"expect": "accept", "index": str(index), "size": str(size)}
        case "tile-path":
            return {"expect": "accept", "is": logs.read_path(logs.utf_8(body))}
        case "tile-of-tree":
            width = logs.width_of(*(int(word) for word in body.split(b" ")))
            return {"expect": "none" if width is None else str(width)}
        case "bundle":
            entries = logs.read_bundle(body, int(header["width"]))
            return {"expect": "accept", "root": root([leaf(entry) for entry in entries])}
        case "add-checkpoint":
            record = None
            if "record" in header:
                size, _, record_root = header["record"].partition(" ")
                record = logs.Record(int(size), b64_decode(record_root, 32))
            status, after = logs.decide(body, _keys(header, folder), record)
            if status == 200 and after is not None:
                return {"expect": "200", "recorded": f"{after.size} {b64_encode(after.root)}"}
            latest = str(record.size if record else 0) if status == 409 else None
            return {"expect": str(status), "latest": latest}
        case "witness-answer":
            text = b64_decode(header["text"]).decode("utf-8")
            return {"expect": "accept", "time": str(logs.read_answer(body, text, read_vkey(header["vkey"])))}
        case "log-policy":
            try:
                policy = logs.read_policy(body)
            except logs.PolicyError as error:
                return {"expect": "refuse", "line": None if error.line is None else str(error.line)}
            return {"expect": _yes(policy.satisfied(set(header.get("by", "").split(" "))))}
        case "witnessed":
            policy = logs.read_policy((folder / header["policy"]).read_bytes())
            note = read_note(body)
            times = policy.cosigned(note)
            start, end = int(header.get("from", "0")), int(header.get("to", str(2**63)))
            counted = {name for name, time in times.items() if start <= time <= end}
            named = " ".join(f"{name} {time}" for name, time in times.items()) or None
            return {"expect": _yes(policy.satisfied(counted)), "log": policy.signed(note), "witnesses": named}
    raise ValueError(f"kind {header['kind']}")


def _yes(verdict: bool) -> str:
    return "yes" if verdict else "no"
