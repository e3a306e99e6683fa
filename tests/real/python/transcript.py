"""What the Python clients share: options, the walk through a scenario, and the form of its transcript; see ../README.md.

Needs no MCP package, so that each client can run on the SDK that it is there for."""

import argparse
import asyncio
import json
import re
import sys
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path

import anyio

HERE = Path(__file__).resolve().parent.parent
OURS = "io.github.agent-attest/"  # `_meta` keys that attest adds; everything else must pass unchanged
SCENARIOS = json.loads((HERE / "scenarios.json").read_text("utf-8"))


class Normaliser:
    """Replaces what may differ between two runs of one scenario."""

    def __init__(self, workdir: Path | None, masks: list[list[str]]) -> None:
        self.paths = sorted({str(workdir), str(workdir.resolve())}, key=len, reverse=True) if workdir else []
        self.masks = [(re.compile(pattern), replacement) for pattern, replacement in masks]

    def __call__(self, value):
        if isinstance(value, dict):
            cleaned = {}
            for key, item in value.items():
                if key == "_meta" and isinstance(item, dict):
                    item = {name: inner for name, inner in item.items() if not name.startswith(OURS)}
                    if not item:
                        continue
                cleaned[key] = self(item)
            return cleaned
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, str):
            for path in self.paths:
                value = value.replace(path, "<workdir>")
            for pattern, replacement in self.masks:
                value = pattern.sub(replacement, value)
        return value


def fill(value, workdir: Path | None):
    """Puts the working directory's path where a scenario or an argument says {workdir}."""
    if isinstance(value, dict):
        return {key: fill(item, workdir) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, workdir) for item in value]
    return value.replace("{workdir}", str(workdir)) if isinstance(value, str) else value


def plain(model) -> dict:
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def kind(outcome: dict) -> str:
    if "result" in outcome:
        return "tool-error" if outcome["result"].get("isError") else "result"
    return next(name for name in ("error", "cancelled", "client-error") if name in outcome)


class Conversation:
    """One client's side. A subclass opens it, and makes the requests with its SDK."""

    name: str  # as in ../harness.py
    protocol_errors: tuple[type[Exception], ...]  # what the SDK raises for a JSON-RPC error; bears it as `.error`

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.asked: list[dict] = []
        self.notified: list[dict] = []

    async def open(self, stack: AsyncExitStack) -> dict:
        """Connects until the stack is closed: the negotiated protocol and the server's answer."""
        raise NotImplementedError

    async def request(self, step: dict):
        raise NotImplementedError

    async def call_reporting(self, step: dict, report):
        """Calls a tool; hands each progress report to `report`."""
        raise NotImplementedError

    async def rounds(self, step: dict, seen: list[dict]):
        raise SystemExit(f"converse: {self.name} cannot do {step['do']!r}; see `clients` in scenarios.json")

    task = rounds

    async def on_progress(self, progress, total, message) -> None:
        self.report({"progress": progress, "total": total, "message": message})

    def note(self, message) -> None:
        """Keeps a notification (a model of the SDK)."""
        if message.method != "notifications/progress":
            self.notified.append({name: value for name, value in plain(message).items() if name != "jsonrpc"})

    async def perform(self, step: dict) -> dict:
        """One step's outcome: result, error, cancelled or client-error, and what came in meanwhile."""
        self.asked = []
        outcome: dict = {}
        try:
            match step["do"]:
                case "progress":
                    seen = outcome["progress"] = []
                    outcome["result"] = plain(await self.call_reporting(step, seen.append))
                case "cancel":
                    outcome |= await self.call_and_cancel(step)
                case "rounds":
                    seen = outcome["rounds"] = []
                    outcome["result"] = plain(await self.rounds(step, seen))
                case "task":
                    outcome["result"] = plain(await self.task(step, outcome))
                case _:
                    outcome["result"] = plain(await self.request(step))
        except self.protocol_errors as error:
            outcome["error"] = plain(error.error)
        except Exception as error:  # what the SDK has in place of an answer that it will not hand over
            outcome["client-error"] = f"{type(error).__name__}: {error}"
        if self.asked:
            outcome["asked"] = self.asked
        return outcome

    async def call_and_cancel(self, step: dict) -> dict:
        """Cancels at the first progress report, which shows that the server is at work."""
        with anyio.CancelScope() as scope:
            result = await self.call_reporting(step, lambda _progress: scope.cancel())
        return {"cancelled": True} if scope.cancelled_caught else {"result": plain(result)}


def refusal(outcome: dict) -> dict:
    match kind(outcome):
        case "error":
            return {"kind": "error"} | outcome["error"]
        case "tool-error":
            result = outcome["result"]
            shown = {"kind": "tool-error", "text": "\n".join(c.get("text", "") for c in result["content"])}
            data = result.get("_meta", {}).get(f"{OURS}refusal")
            return shown | ({"data": data} if data else {})
        case other:
            return {"kind": other} | outcome


async def converse(make, options: argparse.Namespace, out) -> bool:
    """Runs what was asked; true when every outcome was of the expected kind."""
    workdir = options.workdir
    scenario = SCENARIOS[options.scenario] if options.scenario else {}
    normalise = Normaliser(workdir, scenario.get("mask", []))

    def emit(value: dict) -> None:
        print(json.dumps(normalise(value), ensure_ascii=False, sort_keys=True), file=out, flush=True)

    options.command = fill(options.command, workdir)
    conversation: Conversation = make(options)
    good, is_whole = True, False
    async with AsyncExitStack() as stack:
        connected = await conversation.open(stack)
        if tool := options.call or options.expect_refusal:
            step = {"do": "call", "tool": tool[0], "args": fill(json.loads(tool[1]), workdir)}
            for _ in range(options.times):
                outcome = await conversation.perform(step)
                emit(refusal(outcome) if options.expect_refusal else outcome)
                good &= (kind(outcome) in ("error", "tool-error")) == bool(options.expect_refusal)
            return good
        emit({"step": "connect", "outcome": connected})
        for step in scenario.get("steps") or SCENARIOS[scenario["like"]]["steps"]:
            if conversation.name not in step.get("clients", [conversation.name]):
                continue
            outcome = await conversation.perform(fill(step, workdir))
            emit({"step": step["step"], "outcome": outcome})
            expected = step.get("expect", "result")
            if kind(outcome) not in expected.split("|") or outcome.get("progress") == []:
                good = False
                print(f"converse: step {step['step']}: expected {expected}, got {kind(outcome)}", file=sys.stderr)
        emit({"step": "notifications", "outcome": conversation.notified})
        is_whole = True
    # An SDK that ends its connection without a word must not make half a conversation look good.
    return good and is_whole


def pair(separator: str):
    def parse(text: str) -> tuple[str, str]:
        name, found, value = text.partition(separator)
        if not found:
            raise argparse.ArgumentTypeError(f"{text!r} is not NAME{separator}VALUE")
        return name, value

    return parse


def main(make) -> None:
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(usage="%(prog)s [options] (--url URL | -- SERVER ARGS...)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scenario", choices=list(SCENARIOS))
    what.add_argument("--call", nargs=2, metavar=("TOOL", "JSONARGS"))
    what.add_argument("--expect-refusal", nargs=2, metavar=("TOOL", "JSONARGS"))
    parser.add_argument("--url", help="talk Streamable HTTP to this server")
    parser.add_argument("--header", action="append", default=[], type=pair("="), metavar="NAME=VALUE")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one request")
    parser.add_argument("--workdir", type=Path)
    parser.add_argument("--era", choices=["auto", "legacy"], default="auto")
    parser.add_argument("--env", action="append", default=[], type=pair("="), metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(sys.argv[1:split])
    options.command = sys.argv[split + 1 :]
    if bool(options.command) == bool(options.url):
        parser.error("give --url, or the server's command after --")
    sys.stdout.reconfigure(encoding="utf-8")
    with options.out.open("w", encoding="utf-8") if options.out else nullcontext(sys.stdout) as out:
        try:
            good = asyncio.run(converse(make, options, out))
        except Exception as error:
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            where = options.url or options.command[0]
            print(f"{parser.prog}: cannot talk to {where}: {type(error).__name__}: {error}", file=sys.stderr)
            sys.exit(2)
    sys.exit(0 if good else 1)
