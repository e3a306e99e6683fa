"""Keys, configuration and processes: an operator, an agent and a guarded server, as anybody would set them up."""

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing.connection import Client as Beside
from pathlib import Path

from derive import Grant
from schema import Tool

HERE = Path(__file__).parent
PROMPT = "You are a helpful assistant."
FLOW_LABEL = "untrusted"


class House:
    def __init__(self, attest: Path, folder: Path, suite: str, tools: list[Tool]) -> None:
        self.attest, self.folder, self.suite, self.tools = attest, folder, suite, tools
        self.approved: set[str] = set()
        self.environ = os.environ | {"XDG_RUNTIME_DIR": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
        folder.mkdir(parents=True, exist_ok=True)
        for key in ("agent", "attester", "owner", "ask-first", "log", "person"):
            self.run("keygen", "--jwk", f"{key}.key")
        self.write("prompt.txt", PROMPT)
        self.write("risk.toml", self._risk())
        self.write("policy.cedar", (HERE / "policy.cedar").read_text())
        self.write("guard.toml", self._guard())
        self.write("agent.toml", self._agent(""))

    def run(self, *words: str) -> str:
        done = subprocess.run([self.attest, *words], cwd=self.folder, env=self.environ, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"attest {' '.join(words)}: {done.stderr}")
        return done.stdout

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def _jwk(self, name: str) -> str:
        return f'{{ kty = "OKP", crv = "Ed25519", x = "{json.loads((self.folder / f"{name}.key.pub").read_text())["x"]}" }}'

    def _agent(self, log_key: str) -> str:
        known = f'[[server]]\naudience = "{self.suite}"\nlog_keys = ["{log_key}"]\n' if log_key else ""
        return (
            'agent = "assistant"\nissuer = "operator"\nkey = "agent.key"\nattester_key = "attester.key"\n'
            'delegation = "task.chain"\nlog = "agent.db"\n[measure]\nsystem_prompt = "prompt.txt"\n[flow]\n' + known
        )

    def _risk(self) -> str:
        effects = json.dumps([f"{self.suite}#{tool.name}" for tool in self.tools if tool.effect])
        return (
            'unknown = "low"\nmethod = "low"\n[can]\ndanger = "low"\ninward = "low"\nout = "low"\n'
            '[hints]\ndestructive = "low"\nopen-world = "low"\nwrites = "low"\n'
            f'[classes.effect]\nrisk = "medium"\ntools = {effects}\n'
        )

    def _guard(self) -> str:
        digest = urlsafe_b64encode(sha256(PROMPT.encode()).digest()).decode().rstrip("=")
        root = '[[root]]\nissuer = "{0}"\ntools = ["{1}#*"]\nlabels = ["{2}"]\njwk = {3}\n'
        roots = [root.format(name, self.suite, FLOW_LABEL, self._jwk(name)) for name in ("owner", "ask-first")]
        labels = [f'[flow.tools.{tool.name}]\nlabels = ["{FLOW_LABEL}"]\n' for tool in self.tools if tool.untrusted]
        return (
            f'audience = "{self.suite}"\nlog = "guard.db"\nlog_key = "log.key"\n'
            f'[[attester]]\nissuer = "operator"\nagents = ["assistant"]\njwk = {self._jwk("attester")}\n{"".join(roots)}'
            f'[[approver]]\nname = "Ada"\ngroups = ["owners"]\njwks = [{self._jwk("person")}]\n'
            f'[policy]\nfiles = ["policy.cedar"]\nrisk = "risk.toml"\n{"".join(labels)}'
            f'[agents.assistant]\nlineage = true\nsystem-prompt = {{ digests = ["{digest}"], grade = "on-disk" }}\n'
        )

    def delegate(self, grant: Grant) -> None:
        """A root for this task alone, held by the agent."""
        (self.folder / "task.chain").unlink(missing_ok=True)
        self.write("grant.json", json.dumps({f"{self.suite}#{tool}": given for tool, given in grant.tools.items()}))
        release = [word for tool in grant.release for word in ("--release", f"{self.suite}#{tool}={FLOW_LABEL}")]
        words = ["--issuer", grant.root, "--to", "agent.key.pub", "--grant", "grant.json", "--life", "1h", "--out", "task.chain"]
        self.run("delegate", "--key", f"{grant.root}.key", *words, *release)

    @contextmanager
    def guarded(self):
        """The guard over HTTP with the server behind it over stdio; gives its URL."""
        beside = self.folder / "beside"
        beside.unlink(missing_ok=True)
        server = ["--", sys.executable, str(HERE / "server.py"), self.suite, str(beside)]
        words = [self.attest, "guard", "--config", "guard.toml", "--listen", "127.0.0.1:0", *server]
        with (self.folder / "guard.err").open("a+") as said:
            end = said.seek(0, os.SEEK_END)
            guard = subprocess.Popen(words, cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            try:
                yield self._listening(guard, end)
            finally:
                guard.terminate()
                guard.wait()
                # What waits for a person at one guard is bounded, and nobody will come to answer what an attack asked for.
                shutil.rmtree(self.folder / "guard.db.approvals", ignore_errors=True)

    def _listening(self, guard: subprocess.Popen, since: int) -> str:
        for _ in range(600):
            with (self.folder / "guard.err").open() as said:
                said.seek(since)
                for line in said:
                    if "http://" in line and line.endswith("\n"):
                        return "http://" + line.split("http://")[1].split()[0]
            if guard.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the guard did not start: {(self.folder / 'guard.err').read_text()[-2000:]}")

    def trust_log(self) -> None:
        self.write("agent.toml", self._agent(self.run("log", "key", "guard.db").strip()))

    def wrap(self, url: str) -> list[str]:
        return [str(self.attest), "wrap", "--config", "agent.toml", "--audience", self.suite, "--upstream", url]

    def forget(self) -> None:
        """The next wrap starts a signer of its own, with a context that has seen nothing."""
        self.run("signer", "stop", "--config", "agent.toml")

    def approve(self) -> None:
        """A person approves all that waits."""
        for request in (self.folder / "guard.db.approvals").iterdir():
            if request.is_dir() and request.name not in self.approved:
                self.approved.add(request.name)
                self.run("approvals", "--config", "guard.toml", "approve", request.name, "--key", "person.key")

    def beside(self, environment=None):
        """Sets the server's environment, or, without one, has the present one."""
        with Beside(str(self.folder / "beside"), family="AF_UNIX") as server:
            server.send(environment)
            return server.recv()
