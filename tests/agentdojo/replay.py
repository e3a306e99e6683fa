"""One run: a fresh agent and guard with a trail each, the calls, and the alerts that both logs hold afterwards."""

import json
import os
import pickle
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import plan
import suites
from agentdojo.functions_runtime import FunctionCall

HERE = Path(__file__).resolve().parent
ANSWER = 60.0  # seconds that an answer may take
END = 30.0  # seconds that wrap, guard and server together have to end


class Broken(Exception):
    """The pipeline did not do its work; nothing can be said of the rules."""


@dataclass
class Replayed:
    run: plan.Run
    alerts: list[dict] = field(default_factory=list)
    by_guard: list[dict] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)  # the name of each call in the log, in order
    marks: list[dict] = field(default_factory=list)  # of the answer to each call
    stopped: list[bool] = field(default_factory=list)  # whether a rule stopped the call or its answer
    reached: bool = False  # by AgentDojo's own check: the task is solved, or the attack reached its goal
    alone: bool = False  # the same of the same calls without attest
    errors: int = 0  # calls that the tool itself answered with an error
    seconds: float = 0.0
    broken: str = ""


def replayed(attest: str, run: plan.Run, folder: Path) -> Replayed:
    began = time.monotonic()
    done = Replayed(run)
    try:
        set_up(attest, run, folder)
        converse(attest, done, folder)
        read(attest, done, folder)
        done.reached, done.alone = reached(done, folder)
    except (Broken, OSError, ValueError, KeyError) as error:
        done.broken = f"{type(error).__name__}: {error}"
    finally:
        stop = [attest, "signer", "stop", "--config", str(folder / "agent.toml")]
        subprocess.run(stop, env=environ(folder), capture_output=True, check=False)
    done.seconds = time.monotonic() - began
    return done


def environ(folder: Path) -> dict[str, str]:
    return os.environ | {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}


def server(run: plan.Run, folder: Path) -> list[str]:
    return [sys.executable, str(HERE / "server.py"), run.suite, run.user_task, str(folder)]


# The default rules only note. Which rules fire is the same; these three do something about it.
RULES = """[hidden-instructions]
action = "label"
[out-after-suspicion]
action = "refuse"
[danger-after-suspicion]
action = "refuse"
"""


def set_up(attest: str, run: plan.Run, folder: Path) -> None:
    (folder / "run").mkdir(mode=0o700, parents=True)
    (folder / "injections.json").write_text(json.dumps(run.injections), "utf-8")
    init = [attest, "init", "--dir", str(folder), "--agent", "dojo", "--audience", run.suite, "--model", "none/replay"]
    grants = [word for tool in sorted({tool for tool, _ in run.calls}) for word in ("--tool", tool)]
    # Without a tool to grant init would ask the server.
    command = [*init, *(grants or ["--tool", "none"]), "--", *server(run, folder)]
    made = subprocess.run(command, env=environ(folder), capture_output=True, text=True, check=False)
    if made.returncode:
        raise Broken(f"attest init: {made.stderr[-500:]}")
    (folder / "rules.toml").write_text(RULES, "utf-8")
    for name in ("agent.toml", "guard.toml"):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write('\n[trail]\nrules = "rules.toml"\n')


def converse(attest: str, done: Replayed, folder: Path) -> None:
    run = done.run
    guard = [attest, "guard", "--config", str(folder / "guard.toml"), "--", *server(run, folder)]
    wrap = [attest, "wrap", "--config", str(folder / "agent.toml"), "--audience", run.suite, "--", *guard]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            wrap, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=environ(folder), cwd=folder
        )
    lines = Lines(process, folder / "said")
    try:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "replay", "version": "1"}}
        lines.ask("initialize", hello)
        lines.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        if not lines.ask("tools/list", {})["tools"]:
            raise Broken("the server lists no tools")
        for at, (tool, arguments) in enumerate(run.calls):
            result = lines.ask("tools/call", {"name": tool, "arguments": arguments})
            done.stopped.append(result is None)
            if result is None:
                # An agent that follows an injected text would not be put off by one refusal.
                continue
            done.errors += bool(result.get("isError"))
            text = "".join(block["text"] for block in result["content"])
            if run.attack and at + 1 == run.injected_from and not plan.holds(text, run.goal):
                raise Broken(f"the answer of {tool} does not hold the injected text")
        process.stdin.close()
        process.wait(END)
    except subprocess.TimeoutExpired as error:
        raise Broken(f"wrap did not end within {END} s after its input did") from error
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
    if process.returncode:
        raise Broken(f"wrap ended with {process.returncode}: {lines.errors()}")


class Lines:
    """Requests to a process over its standard input, and their answers."""

    def __init__(self, process: subprocess.Popen, said: Path) -> None:
        self.process, self.said, self.id, self.rest = process, said, 0, b""
        os.set_blocking(process.stdout.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(process.stdout, selectors.EVENT_READ)

    def errors(self) -> str:
        return self.said.read_text("utf-8", "replace")[-500:]

    def say(self, message: dict) -> None:
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Broken(f"wrap is gone: {self.errors()}") from error

    def line(self) -> bytes:
        until = time.monotonic() + ANSWER
        while b"\n" not in self.rest:
            if not self.selector.select(max(0.0, until - time.monotonic())):
                raise Broken(f"no answer within {ANSWER} s: {self.errors()}")
            more = self.process.stdout.read()
            if not more:
                raise Broken(f"wrap ended in mid-conversation: {self.errors()}")
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def ask(self, method: str, params: dict) -> dict | None:
        """The result; none where a rule stopped the message."""
        self.id += 1
        self.say({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        while (answer := json.loads(self.line())).get("id") != self.id:
            pass
        if answer.get("error", {}).get("data", {}).get("reason") == "alert":
            return None
        if "result" not in answer:
            raise Broken(f"{method} was answered with {answer.get('error')}")
        return answer["result"]


def read(attest: str, done: Replayed, folder: Path) -> None:
    """Both logs hold the trail; what the caller's says is counted, and the guard's is held against it."""
    signer = folder / "signer.db"
    # The signer writes it; after its end it is whole.
    subprocess.run(
        [attest, "signer", "stop", "--config", str(folder / "agent.toml")],
        env=environ(folder),
        capture_output=True,
        check=False,
    )
    done.alerts = said(attest, ["alerts", "list", "--json", str(signer)], (0, 1))
    done.by_guard = said(attest, ["alerts", "list", "--json", str(folder / "guard.db")], (0, 1))
    entries = said(attest, ["log", "list", "--json", str(signer)], (0,))
    by_index = {line["index"]: line["entry"]["event"] for line in entries if "event" in line["entry"]}
    for alert in done.alerts:
        # The last entry that an alert rests on is the one that set it off.
        alert["call"] = by_index[alert["entries"][-1]].get("call")
        alert["what"] = by_index[alert["entries"][-1]]["what"]
    events = by_index.values()
    answers = {event["call"]: event for event in events if event["what"] == "answer"}
    done.proofs = [event["call"] for event in events if event["what"] == "call"]
    if len(done.proofs) != len(done.run.calls):
        raise Broken(f"{len(done.run.calls)} calls were made; the trail has {len(done.proofs)}")
    for call, stopped in zip(done.proofs, done.stopped, strict=True):
        if call not in answers and not stopped:
            raise Broken("the trail lacks the answer to a call")
    done.marks = [answers.get(call, {}).get("marks", {}) for call in done.proofs]


def said(attest: str, words: list[str], good: tuple[int, ...]) -> list[dict]:
    ran = subprocess.run([attest, *words], capture_output=True, text=True, check=False)
    if ran.returncode not in good:
        raise Broken(f"attest {' '.join(words[:2])} ended with {ran.returncode}: {ran.stderr[-500:]}")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def reached(done: Replayed, folder: Path) -> tuple[bool, bool]:
    """What AgentDojo's check says of the run; and of the same calls made directly, with nothing between."""
    run, of = done.run, suites.suite(done.run.suite)
    before = suites.environment(of, run.user_task, run.injections)
    kept = folder / "environment.pickle"
    # Of this very run's server; absent where no call came to it.
    after = pickle.loads(kept.read_bytes()) if kept.exists() else before
    return checked(run, before, after, done.stopped), alone(run, before)


def alone(run: plan.Run, before) -> bool:
    of, after = suites.suite(run.suite), before.model_copy(deep=True)
    runtime = suites.runtime(of)
    for tool, arguments in run.calls:
        runtime.run_function(after, tool, arguments)
    return checked(run, before, after, [False] * len(run.calls))


def checked(run: plan.Run, before, after, stopped: list[bool]) -> bool:
    of = suites.suite(run.suite)
    task = of.injection_tasks[run.injection_task] if run.attack else of.user_tasks[run.user_task]
    output = [{"type": "text", "content": task.GROUND_TRUTH_OUTPUT}]
    ran = zip(run.calls, stopped, strict=True)
    traces = [FunctionCall(function=tool, args=arguments) for (tool, arguments), was in ran if not was]
    return bool(of._check_task_result(task, output, before, after, traces))
