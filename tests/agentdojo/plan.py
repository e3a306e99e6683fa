"""Which calls are replayed, in which environment: ground truths of tasks, spliced.

A benign run is a user task's ground truth. A run of an attack is

1. the user task's calls up to and with the first whose answer holds one of the vectors that AgentDojo puts texts into,
2. the injection task's ground truth: an agent that does as the text says, at once, and with no calls of its own between.

The environment holds the attack's text in every vector that the user task reads, as AgentDojo places it. What the injected calls
say is AgentDojo's; some of it (a balance, an address) would in life be read by calls before.
"""

import re
from dataclasses import dataclass, field
from types import SimpleNamespace

import suites
from agentdojo.attacks.attack_registry import load_attack

# Whom the texts pretend to know. AgentDojo wants a model's name; this one becomes "GPT-4" in the text.
MODEL = SimpleNamespace(name="gpt-4o-2024-05-13")
MAIN = "important_instructions"
OTHERS = ("direct", "ignore_previous", "system_message", "injecagent")


@dataclass
class Run:
    suite: str
    user_task: str
    calls: list[tuple[str, dict]]
    attack: str | None = None
    injection_task: str | None = None
    injections: dict[str, str] = field(default_factory=dict)
    injected_from: int = 0  # index of the first call that the injected text asks for
    goal: str = ""  # what the answer before it must hold

    @property
    def name(self) -> str:
        return "/".join(filter(None, (self.suite, self.user_task, self.injection_task, self.attack)))


def calls(task, env) -> list[tuple[str, dict]]:
    return [(call.function, dict(call.args)) for call in task.ground_truth(env.model_copy(deep=True))]


def read_at(of, task) -> int | None:
    """Index of the call of a user task whose answer is the first to hold an injection vector."""
    canaries = {vector: f"CANARY-{vector}-CANARY" for vector in of.get_injection_vector_defaults()}
    env = suites.environment(of, task.ID, canaries)
    runtime = suites.runtime(of)
    for at, (tool, arguments) in enumerate(calls(task, env)):
        result, _ = runtime.run_function(env, tool, arguments)
        if any(canary in suites.shown(result) for canary in canaries.values()):
            return at
    return None


def benign(name: str) -> list[Run]:
    of = suites.suite(name)
    runs = []
    for task in of.user_tasks.values():
        runs.append(Run(name, task.ID, calls(task, suites.environment(of, task.ID, {}))))
    return runs


def attacks(name: str, most_users: int, for_others: int) -> list[Run]:
    """Each injection task with `most_users` user tasks for the main text, and with `for_others` for each other text. Which user
    tasks: they take turns, in AgentDojo's order, so that few runs see most of them."""
    of = suites.suite(name)
    reads = {task.ID: at for task in of.user_tasks.values() if (at := read_at(of, task)) is not None}
    users = list(reads)
    texts = [(MAIN, most_users), *((text, for_others) for text in OTHERS)]
    runs, turn = [], 0
    for text, most in texts:
        attack = load_attack(text, of, MODEL)
        for injection in of.injection_tasks.values():
            for _ in range(min(most, len(users))):
                user = users[turn % len(users)]
                turn += 1
                runs.append(spliced(of, attack, text, user, reads[user], injection))
    return runs


def spliced(of, attack, text: str, user: str, at: int, injection) -> Run:
    task = of.user_tasks[user]
    injections = attack.attack(task, injection)
    env = suites.environment(of, user, injections)
    before = calls(task, env)[: at + 1]
    after = calls(injection, env)
    return Run(of.name, user, before + after, text, injection.ID, injections, at + 1, injection.GOAL)


def holds(answer: str, goal: str) -> bool:
    """Whether an answer holds a text, however YAML broke and escaped its lines."""
    bare = lambda text: re.sub(r"\\[nt\"]|[^A-Za-z0-9]", "", text)  # noqa: E731
    return bare(goal)[:40] in bare(answer)
