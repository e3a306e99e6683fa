"""What compare, matrix and refusals share: the clients, and holding one conversation with or without something in between."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENV = HERE.parent.parent / ".test-env"
SCENARIOS = json.loads((HERE / "scenarios.json").read_text("utf-8"))
CLIENTS = {
    "python": [str(ENV / "python/bin/python"), str(HERE / "python/converse.py")],
    "python-v1": [str(ENV / "python-v1/bin/python"), str(HERE / "python/converse_v1.py")],
    "fastmcp": [str(ENV / "fastmcp/bin/python"), str(HERE / "python/converse_fastmcp.py")],
    "node": [str(ENV / "bin/node"), str(HERE / "node/converse.mjs")],
    "node-v2": [str(ENV / "bin/node"), str(HERE / "node/converse_v2.mjs")],
    "inspector": [str(ENV / "bin/node"), str(HERE / "node/converse_inspector.mjs")],
}
URL = re.compile(r"http://[^\s\"'<>]+")
START = 60.0  # seconds that a server has to print its URL
END = 10.0  # seconds that a server has to end when asked
LENGTH = 300.0  # seconds that a conversation may take


class Trouble(Exception):
    """Something did not start; the text says what and why."""


def installed() -> None:
    if not (ENV / "stamp").exists():
        raise SystemExit("the real clients and servers are not installed; run scripts/setup-test-env")


def words(text: str) -> list[str]:
    """A command written as a JSON list, or as a shell would read it."""
    return json.loads(text) if text.lstrip().startswith("[") else shlex.split(text)


def filled(command: list[str], places: dict[str, str]) -> list[str]:
    places = {"{env}": str(ENV), "{here}": str(HERE)} | places
    for place, text in places.items():
        command = [word.replace(place, text) for word in command]
    return command


def end(process: subprocess.Popen) -> None:
    """Asks the process to end, then ends what is left of the group that it was started in."""
    process.terminate()
    try:
        process.wait(END)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@contextmanager
def serving(command: list[str], env: dict[str, str], said: Path):
    """Runs a command until it is done with; gives the URL that it prints. What it says else goes to the file `said`."""
    try:
        with said.open("ab") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | env,
                start_new_session=True,
            )
    except OSError as error:
        raise Trouble(f"cannot start {command[0]}: {error}") from error
    found, is_known = [], threading.Event()

    def read() -> None:
        # To the end, since a full pipe would stop the server.
        with said.open("ab") as kept:
            for line in process.stdout:
                if not found and (match := URL.search(line.decode("utf-8", "replace"))):
                    found.append(match[0])
                    is_known.set()
                kept.write(line)
        is_known.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        is_known.wait(START)
        if not found:
            raise Trouble(
                f"{shlex.join(command)} printed no URL; it said: {said.read_text('utf-8', 'replace')[-2000:]}"
            )
        yield found[0]
    finally:
        end(process)
        reader.join(END)
        process.stdout.close()


@dataclass
class Way:
    """How a conversation is held: the server's transport and what stands in front of it, nearest to the client first."""

    http: bool = False
    prefix: list[str] = field(default_factory=list)  # stdio to the client; in front of an HTTP server with {upstream}
    url_prefixes: list[list[str]] = field(default_factory=list)  # HTTP to the client, each with {upstream}
    gateway: list[str] = field(default_factory=list)  # HTTP to what is before it, in front of a stdio server; with `http`
    is_raced: bool = False  # another transcript it is compared with went over HTTP; see `without_races`
    env: dict[str, str] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)


@dataclass
class Held:
    lines: list[str]
    status: int
    seconds: float
    errors: str  # what client and servers said beside the conversation


def talk(client: list[str], words_of_client: list[str], server: list[str], way: Way, places: dict[str, str]) -> Held:
    """Starts what the way needs and runs the client against it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attest-way-") as scratch, ExitStack() as stack:
        places = places | {"{scratch}": scratch}
        said = Path(scratch) / "said"
        said.touch()
        settings = [word for name, value in way.env.items() for word in ("--env", f"{name}={value}")]
        if way.http:
            url = stack.enter_context(serving(filled(way.gateway + server, places), way.env, said))
            for between in reversed(way.url_prefixes):
                url = stack.enter_context(serving(filled(between, places | {"{upstream}": url}), way.env, said))
            headers = [word for header in way.headers for word in ("--header", header)]
            to = ["--", *filled(way.prefix, places | {"{upstream}": url})] if way.prefix else [*headers, "--url", url]
        else:
            to = ["--", *filled(way.prefix + server, places)]
        process = subprocess.Popen(
            [*client, *words_of_client, *settings, *to],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            out, errors = process.communicate(timeout=LENGTH)
            status = process.returncode
        except subprocess.TimeoutExpired:
            end(process)
            out, errors = process.communicate()
            errors, status = f"{errors}\nended after {LENGTH} s", 2
        # A server's child may outlive a client that was killed.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        stack.close()
        errors += said.read_text("utf-8", "replace")
    return Held(out.splitlines(), status, time.monotonic() - began, errors)


def hold(client: list[str], scenario: str, way: Way, *, workdir: Path, era: str | None = None, server=None) -> Held:
    """One conversation on a fresh working directory."""
    subprocess.run([sys.executable, str(HERE / "make-workdir"), str(workdir)], check=True)
    options = ["--scenario", scenario, "--workdir", str(workdir)]
    if era:
        options += ["--era", era]
    server = server or SCENARIOS[scenario]["http" if way.http and not way.gateway else "server"]
    held = talk(client, options, server, way, {"{workdir}": str(workdir), "{scenario}": scenario})
    if held.lines:
        held.lines[0] = without_emptiness(held.lines[0])
    if (way.http or way.is_raced) and held.lines:
        held.lines[-1] = without_races(held.lines[-1])
    return held


def without_emptiness(line: str) -> str:
    """A guard adds a declaration to `experimental` or `extensions`, and a wrap takes it out again, with the whole object
    where nothing else is left in it: of an empty one nobody can tell whether the server had it. It says nothing."""
    first = json.loads(line)
    capabilities = (first.get("outcome", {}).get("result") or {}).get("capabilities", {})
    for name in ("experimental", "extensions"):
        if capabilities.get(name) == {}:
            del capabilities[name]
    return json.dumps(first, ensure_ascii=False, sort_keys=True)


def without_races(line: str) -> str:
    """An HTTP server sends what nobody asked for on a stream that the client opens beside its first requests: whether a
    change of a list is still seen there, and in which order with others, is a race that nothing in between decides."""
    last = json.loads(line)
    if last.get("step") == "notifications":
        kept = [one for one in last["outcome"] if not one["method"].endswith("/list_changed")]
        last["outcome"] = sorted(kept, key=lambda one: json.dumps(one, sort_keys=True))
    return json.dumps(last, ensure_ascii=False, sort_keys=True)


def readable(lines: list[str]) -> list[str]:
    """Long lines laid out over many, so that a diff shows the member that differs."""
    return [row for line in lines for row in json.dumps(json.loads(line), indent=1, ensure_ascii=False).splitlines()]
