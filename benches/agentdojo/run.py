"""Runs AgentDojo's traces through wrap, guard and server, and writes what became of each call."""

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

import report
from derive import Grant, derive
from house import HERE, House
from schema import tool
from suites import HELD_OUT, MARK, TUNED, VERSION, Trace, attacked, benign, security, suite, utility, vectors

# Adopted at once: the server takes seconds to start, and a client that looks for a revision waits less.
REVISION = "2026-07-28"
FROZEN = ("derive.py", "lexicon.py", "schema.py", "policy.cedar")


def listed(name: str) -> list[dict]:
    """What the server lists, for the operator who sets up the guard before it runs."""
    return [{"name": t.name, "description": t.description, "inputSchema": t.parameters.model_json_schema()} for t in suite(name).tools]


def whole(name: str, called: str, arguments: dict) -> dict:
    """With the defaults of the schema written out: constraints are of a closed world, and an argument left out is not `null` to them."""
    parameters = next(t for t in suite(name).tools if t.name == called).parameters
    defaults = {n: f.default for n, f in parameters.model_fields.items() if not f.is_required()}
    return json.loads(json.dumps(defaults | arguments, default=str))


class Agent:
    """One task of an agent: a fresh context behind a wrap."""

    def __init__(self, house: House, client: Client) -> None:
        self.house, self.client = house, client
        self.passed: list[tuple[str, dict]] = []

    async def call(self, called: str, arguments: dict) -> tuple[str, str]:
        """How it ended ("passed", "failed" in the tool, or the reason of a refusal), and the answer's text."""
        try:
            result = await self.client.call_tool(called, whole(self.house.suite, called, arguments))
        except MCPError as refused:
            data = refused.error.data
            return (data["reason"] if isinstance(data, dict) and "reason" in data else f"error: {refused}"), ""
        text = "".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            return "failed", text
        self.passed.append((called, arguments))
        return "passed", text

    async def approved(self, called: str, arguments: dict) -> tuple[str, str]:
        """As `call`; where a person has to approve it, one does."""
        ended, text = await self.call(called, arguments)
        if ended != "step-up-required":
            return ended, text
        self.house.approve()
        again, text = await self.call(called, arguments)
        return (f"stepped-up, {again}"), text


async def run_trace(house: House, url: str, trace: Trace) -> dict:
    program, *words = house.wrap(url)
    server = StdioServerParameters(command=program, args=words, env=house.environ, cwd=house.folder)
    calls, attack = [], []
    async with Client(server, mode=REVISION, cache=None, read_timeout_seconds=120) as client:
        await client.list_tools()  # starts the server, where it does not run yet
        house.beside(trace.environment)
        agent = Agent(house, client)
        waiting = list(trace.attack)
        sent = False
        for called, arguments in trace.calls:
            step = agent.approved if trace.injection_task is None else agent.call
            ended, text = await step(called, arguments)
            calls.append({"tool": called, "ended": ended})
            if MARK in text and not sent:
                sent = True
                for called, arguments in waiting:
                    ended, _ = await agent.call(called, arguments)
                    attack.append({"tool": called, "ended": ended})
    house.forget()
    after = house.beside()
    row = {"user_task": trace.user_task, "calls": calls}
    if trace.injection_task is None:
        return row | {"utility": utility(trace, after, agent.passed)}
    return row | {
        "injection_task": trace.injection_task,
        "attack": attack,
        "seen": sent,
        "security": security(trace, after, agent.passed),
        "utility": utility(trace, after, agent.passed),
    }


def oracle(name: str, task_id: str) -> Grant:
    """For orientation: the tools of the ground truth, with any arguments and whatever was read."""
    tools = sorted({called for called, _ in benign(name, task_id).calls})
    return Grant(tools={called: {} for called in tools}, release=tools)


async def run_suite(attest: Path, name: str, variant: str) -> dict:
    began = time.monotonic()
    tools = listed(name)
    rows: dict[str, list] = {"benign": [], "attacked": [], "not_injectable": [], "grants": []}
    with tempfile.TemporaryDirectory(prefix="attest-dojo-") as folder:
        house = House(attest, Path(folder), name, [tool(one) for one in tools])
        for task_id, task in suite(name).user_tasks.items():
            grant = derive(task.PROMPT, tools) if variant == "derived" else oracle(name, task_id)
            rows["grants"].append({"user_task": task_id, "root": grant.root, "tools": grant.tools, "release": grant.release})
            house.delegate(grant)
            # A guard for each user task: what waits for people at one guard is bounded.
            with house.guarded() as url:
                house.trust_log()
                rows["benign"].append(await run_trace(house, url, benign(name, task_id)))
                places = vectors(name, task_id)
                if not places:
                    rows["not_injectable"].append(task_id)
                    continue
                for injection_id in suite(name).injection_tasks:
                    rows["attacked"].append(await run_trace(house, url, attacked(name, task_id, injection_id, places)))
            print(f"{name} {task_id}: {time.monotonic() - began:.0f} s", flush=True)
        key = house.run("log", "key", "guard.db").strip()
        house.run("log", "verify", "guard.db", "--key", key, "--trust", "guard.toml")
    kinds = {t.name: "effect" if t.effect else "reaches" if t.reaches else "reads" for t in map(tool, tools)}
    return rows | {"kinds": kinds, "seconds": round(time.monotonic() - began)}


def frozen() -> dict:
    last = subprocess.run(["git", "log", "-1", "--format=%H", "--", *FROZEN], cwd=HERE, capture_output=True, text=True, check=False)
    dirty = subprocess.run(["git", "status", "--porcelain", "--", *FROZEN], cwd=HERE, capture_output=True, text=True, check=False)
    digests = {name: sha256((HERE / name).read_bytes()).hexdigest() for name in FROZEN}
    return {"commit": last.stdout.strip() + ("-dirty" if dirty.stdout else ""), "sha256": digests}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--attest", type=Path, required=True)
    options.add_argument("--out", type=Path, default=HERE / "results.json")
    options.add_argument("--variant", choices=["derived", "oracle-tools"], default="derived")
    options.add_argument("suites", nargs="*", default=[*TUNED, *HELD_OUT])
    given = options.parse_args()
    results = {"agentdojo": VERSION, "variant": given.variant, "rules": frozen(), "tuned_on": TUNED, "held_out": HELD_OUT, "suites": {}}
    for name in given.suites:
        rows = asyncio.run(run_suite(given.attest.resolve(), name, given.variant))
        results["suites"][name] = {"summary": report.summary(rows)} | rows
        report.write(results, given.out)
        print(json.dumps({name: results["suites"][name]["summary"]}, indent=1))


if __name__ == "__main__":
    main()
