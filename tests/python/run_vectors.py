"""Runs this verifier over all files of spec/vectors (their form: spec/vectors/README.md).

One line per failing vector, then a closing line; exit status 1 if one failed or none was found.
"""

import sys
from pathlib import Path

import approvals
import nonces
import receipts
import shared_documents
import tasks
import trees
from audit import audit
from comparison import read_listing, read_template
from constraints import Budget, allows, narrows, read_constraint, read_tools, tools_narrow
from entries import read_entry
from extension import declare, era, offer, offered, withhold
from flow import tell, told
from forms import Refused, b64_decode, b64_encode, commitment, sha256
from keys import read_key
from labels import label_answer, listed, read_labels
from messages import clean, mark, outcome
from notes import read_log_keys
from refusals import reply, wire
from status import read_lists, run_list
from strict_json import FormError, JsonDefect, canonical, read
from trust import read_trust
from verifier import Verifier
from watched import shape

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
Result = dict[str, str | bytes | None]
# Keys that say something about the result; all others are input. A verdict must have these or not, as the vector does.
RESULTS = ("expect", "wire", "about", "forward", "reply", "canonical", "thumbprint", "digest", "offered", "task", "labels", "marked", "left") + trees.RESULTS
INPUTS = ("comment", "kind", "trust", "now", "seen", "after", "methods", "salt", "where", "era", "settings", "asked", "audience", "ended", "horizon", "forgotten", "lists", "level", "jwk", "document") + trees.INPUTS


def split(data: bytes) -> tuple[dict[str, str], bytes]:
    """Header and body. The body is everything after the first empty line."""
    head, separator, body = data.partition(b"\n\n")
    if not separator:
        raise ValueError("no empty line")
    header: dict[str, str] = {}
    for line in head.decode("utf-8").split("\n"):
        key, colon, value = line.partition(": ")
        if not colon or key in header or key not in RESULTS + INPUTS:
            raise ValueError(f"header line {line!r}")
        header[key] = value
    return header, body


def run(header: dict[str, str], body: bytes) -> Result:
    """What this verifier says, in the vectors' own words. Defects end in `refusal`."""
    match header["kind"]:
        case "request":
            verifier = Verifier(read_trust((VECTORS / header["trust"]).read_bytes()), header.get("methods", "").split(" "))
            if "after" in header:
                earlier, presented = split((VECTORS / header["after"]).read_bytes())
                verifier.verify(presented, int(earlier["now"]))
            if "seen" in header:
                thumbprint, _, jti = header["seen"].partition("/")
                verifier.calls.add((thumbprint, jti))
            if "lists" in header:
                verifier.statuses = read_lists(verifier.trust, (VECTORS / header["lists"]).read_text())
            verifier.level = header.get("level", "critical")
            verdict = verifier.verify(body, int(header["now"]))
            return {"expect": verdict.outcome, "wire": verdict.wire, "about": verdict.about, "forward": verdict.forward, "labels": verdict.labels}
        case "status-list":
            lists = (VECTORS / header["lists"]).read_text() if "lists" in header else ""
            return run_list(header, body, read_trust((VECTORS / header["trust"]).read_bytes()), lists)
        case "approval":
            counts, left = approvals.count(body, int(header["now"]))
            return {"expect": counts, "left": left or None}
        case "nonce":
            return {"expect": nonces.judge(read(body), int(header["now"]))}
        case "json":
            return {"expect": "accept", "canonical": canonical(read(body))}
        case "digest":
            return {"expect": sha256(body)}
        case "commitment":
            return {"expect": commitment(b64_decode(header["salt"], 16), read(body))}
        case "entry":
            try:
                read_entry(body)
            except Refused as refused:
                return {"expect": refused.reason, "about": refused.about}
            return {"expect": "accept"}
        case "shape":
            return {"expect": shape(read(body))}
        case "audit":
            match audit(body.removesuffix(b"\n").split(b"\n"), int(header.get("horizon", 0)), int(header.get("forgotten", 0))):
                case []:
                    return {"expect": "whole"}
                case [(None, wrong)]:
                    return {"expect": wrong}
                case [(index, wrong)]:
                    return {"expect": wrong, "index": str(index)}
                case several:
                    return {"expect": f"several: {several}"}
        case "jwk":
            return {"expect": "accept", "thumbprint": read_key(read(body)).thumbprint}
        case "trust":
            read_trust(body)
            return {"expect": "accept"}
        case "allows":
            value = read(body)
            return {"expect": yes(allows(read_constraint(value["constraint"], Budget()), value["value"]))}
        case "narrows":
            value = read(body)
            return {"expect": yes(narrows(read_constraint(value["parent"], Budget()), read_constraint(value["child"], Budget())))}
        case "tools-narrow":
            value = read(body)
            return {"expect": yes(tools_narrow(read_tools(value["parent"]), read_tools(value["child"])))}
        case "template":
            value = read(body)
            return {"expect": yes(read_template(value["template"]).fits(value["text"]))}
        case "listing":
            value = read(body)
            rule = read_listing(value["component"], {name: value[name] for name in ("like", "may_differ")})
            return {"expect": yes(rule.fits(value["list"]))}
        case "outcome":
            status, digest = outcome(body, b64_decode(header["salt"], 16))
            return {"expect": status, "digest": digest}
        case "answer":
            cleaned = clean(body)
            return {"expect": "unchanged" if cleaned is None else "cleaned", "forward": cleaned}
        case "label":
            marked = mark(body)
            return {"expect": "unchanged" if marked is None else "marked", "forward": marked}
        case "labels":
            read_labels(read(body))
            return {"expect": "accept"}
        case "labelling":
            value = read(body)
            fields = {place: read_labels(labels) for place, labels in value["fields"].items()}
            return {"expect": listed(label_answer(read_labels(value["always"]), fields, value["answer"].encode("utf-8"))) or "(none)"}
        case "tell":
            value = read(body)
            return becomes(tell(value["request"].encode("utf-8"), value["decision"], value.get("grant", [])))
        case "told":
            return {"expect": yes(told(read(body)))}
        case "receipt":
            keys = read_log_keys((VECTORS / header["keys"]).read_text("utf-8"))
            try:
                receipts.verify(body, keys, header["audience"], receipts.read_ended(header["ended"]))
            except Refused as refused:
                return {"expect": refused.reason, "about": refused.about}
            return {"expect": "accept", "forward": receipts.seen(body)}
        case "shared-document":
            try:
                data = shared_documents.open_document(body, read_key(read(header["jwk"].encode("utf-8"))), header["audience"], header["document"])
            except Refused as refused:
                return {"expect": refused.reason}
            return {"expect": "accept", "forward": data}
        case "refusal":
            value = read(body)
            undeclared = value.get("undeclared") is True
            sent = reply(value["reason"], value.get("component"), value.get("id"), value["shape"], undeclared, {name: value[name] for name in ("nonce", "required") if name in value})
            return {"expect": wire(value["reason"]), "reply": sent}
        case "declare":
            return becomes(declare(body, header["where"]))
        case "era":
            return {"expect": era(read(body))}
        case "offer":
            return becomes(offer(body, header["era"], read(b64_decode(header["settings"]))))
        case "offered":
            settings = offered(body, header["era"])
            return {"expect": yes(settings is not None), "offered": settings}
        case "withhold":
            return becomes(withhold(body))
        case "task-created":
            task = tasks.created(body)
            return {"expect": yes(task is not None), "task": task}
        case "task-asked":
            question, task = tasks.asked(body)
            return {"expect": question, "task": task}
        case "task-told":
            task = tasks.told(body)
            return {"expect": yes(task is not None), "task": task}
        case "task-outcome":
            status, digest = tasks.outcome(body, header["asked"], b64_decode(header["salt"], 16))
            return {"expect": status, "digest": digest}
    return trees.run(header, body, VECTORS)


def refusal(header: dict[str, str], error: FormError) -> Result:
    if isinstance(error, JsonDefect) and header["kind"] in ("json", "entry"):
        return {"expect": error.reason}
    return {"expect": "refuse" if header["kind"] in ("jwk", "labels", "trust") + trees.REFUSING else "unreadable"}


def becomes(forward: bytes | None) -> Result:
    return {"expect": "unchanged" if forward is None else "changed", "forward": forward}


def yes(verdict: bool) -> str:
    return "yes" if verdict else "no"


def check(path: Path) -> tuple[Result, Result] | None:
    """Expected and got, where they differ."""
    header: dict[str, str] = {}
    try:
        header, body = split(path.read_bytes())
        got = run(header, body)
    except FormError as error:
        got = refusal(header, error)
    except Exception as error:  # a crash is a failure of this vector, not of the run
        got = {"expect": f"{type(error).__name__}: {error}"}
    # Bytes stand in the vectors as base64url; what does not apply is absent.
    got = {key: b64_encode(value) if isinstance(value, bytes) else value for key, value in got.items() if value is not None}
    expected: Result = {key: header[key] for key in RESULTS if key in header}
    return None if got == expected else (expected, got)


def main() -> int:
    passed = failed = 0
    for path in sorted(VECTORS.glob("*.vec")):
        difference = check(path)
        if difference is None:
            passed += 1
        else:
            failed += 1
            print(f"{path.stem}: expected {difference[0]}, got {difference[1]}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
