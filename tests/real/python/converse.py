"""Talks to an MCP server over stdio with the Python SDK 2.x client; see ../README.md."""

import argparse
import asyncio
import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError
from mcp.types import CreateMessageResult, ElicitResult, Implementation, ServerNotification, TextContent

HERE = Path(__file__).resolve().parent.parent
OURS = "io.github.agent-attest/"  # `_meta` keys that attest adds; everything else must pass unchanged
TIMEOUT = 60.0  # seconds for one request


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
    def __init__(self, parameters: StdioServerParameters, era: str) -> None:
        self.asked: list[dict] = []
        self.notified: list[dict] = []
        self.client = Client(
            parameters,
            mode=era,
            cache=None,  # every step must reach the server
            read_timeout_seconds=TIMEOUT,
            client_info=Implementation(name="attest-converse-python", version="1.0.0"),
            sampling_callback=self.on_sampling,
            elicitation_callback=self.on_elicitation,
            message_handler=self.on_message,
        )

    async def on_sampling(self, _context, params):
        self.asked.append({"method": "sampling/createMessage", "params": plain(params)})
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text="sampled"), model="none", stop_reason="endTurn"
        )

    async def on_elicitation(self, _context, params):
        self.asked.append({"method": "elicitation/create", "params": plain(params)})
        return ElicitResult(action="accept", content={"name": "Ada"})

    async def on_message(self, message) -> None:
        if isinstance(message, ServerNotification) and message.method != "notifications/progress":
            self.notified.append(plain(message))

    def connected(self) -> dict:
        session = self.client.session
        answer = session.initialize_result or session.discover_result
        return {"protocol": self.client.protocol_version, "result": plain(answer)}

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
                case _:
                    outcome["result"] = plain(await self.request(step))
        except MCPError as error:
            outcome["error"] = plain(error.error)
        except (ValueError, RuntimeError) as error:  # a result the SDK refuses to hand over
            outcome["client-error"] = f"{type(error).__name__}: {error}"
        if self.asked:
            outcome["asked"] = self.asked
        return outcome

    async def request(self, step: dict):
        client = self.client
        match step["do"]:
            case "call":
                return await client.call_tool(step["tool"], step["args"])
            case "list-tools":
                return await client.list_tools()
            case "list-resources":
                return await client.list_resources()
            case "list-templates":
                return await client.list_resource_templates()
            case "read-resource":
                return await client.read_resource(step["uri"])
            case "list-prompts":
                return await client.list_prompts()
            case "get-prompt":
                return await client.get_prompt(step["name"], step.get("args"))
        raise SystemExit(f"converse.py: scenarios.json asks for {step['do']!r}, which is not a kind of step")

    async def call_reporting(self, step: dict, report):
        async def on_progress(progress, total, message) -> None:
            report({"progress": progress, "total": total, "message": message})

        return await self.client.call_tool(step["tool"], step["args"], progress_callback=on_progress)

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
            return {"kind": "tool-error", "text": "\n".join(c.get("text", "") for c in outcome["result"]["content"])}
        case other:
            return {"kind": other} | outcome


async def converse(options: argparse.Namespace, command: list[str], out) -> bool:
    """Runs what was asked; true when every outcome was of the expected kind."""
    workdir = options.workdir
    scenario = json.loads((HERE / "scenarios.json").read_text("utf-8"))[options.scenario] if options.scenario else {}
    normalise = Normaliser(workdir, scenario.get("mask", []))

    def emit(value: dict) -> None:
        print(json.dumps(normalise(value), ensure_ascii=False, sort_keys=True), file=out, flush=True)

    command = fill(command, workdir)
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=dict(options.env))
    conversation = Conversation(parameters, options.era)
    good = True
    async with conversation.client:
        if tool := options.call or options.expect_refusal:
            step = {"do": "call", "tool": tool[0], "args": fill(json.loads(tool[1]), workdir)}
            for _ in range(options.times):
                outcome = await conversation.perform(step)
                emit(refusal(outcome) if options.expect_refusal else outcome)
                good &= (kind(outcome) in ("error", "tool-error")) == bool(options.expect_refusal)
            return good
        emit({"step": "connect", "outcome": conversation.connected()})
        for step in scenario["steps"]:
            outcome = await conversation.perform(fill(step, workdir))
            emit({"step": step["step"], "outcome": outcome})
            expected = step.get("expect", "result")
            if kind(outcome) != expected or outcome.get("progress") == []:
                good = False
                print(f"converse.py: step {step['step']}: expected {expected}, got {kind(outcome)}", file=sys.stderr)
        emit({"step": "notifications", "outcome": conversation.notified})
    return good


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def main() -> None:
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(usage="converse.py [options] -- SERVER ARGS...")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scenario", choices=list(json.loads((HERE / "scenarios.json").read_text("utf-8"))))
    what.add_argument("--call", nargs=2, metavar=("TOOL", "JSONARGS"))
    what.add_argument("--expect-refusal", nargs=2, metavar=("TOOL", "JSONARGS"))
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--workdir", type=Path)
    parser.add_argument("--era", choices=["auto", "legacy"], default="auto")
    parser.add_argument("--env", action="append", default=[], type=setting)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(sys.argv[1:split])
    command = sys.argv[split + 1 :]
    if not command:
        parser.error("give the server's command after --")
    sys.stdout.reconfigure(encoding="utf-8")
    with options.out.open("w", encoding="utf-8") if options.out else nullcontext(sys.stdout) as out:
        try:
            good = asyncio.run(converse(options, command, out))
        except (MCPError, OSError, ExceptionGroup) as error:
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            print(f"converse.py: cannot talk to {command[0]}: {error}", file=sys.stderr)
            sys.exit(2)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
