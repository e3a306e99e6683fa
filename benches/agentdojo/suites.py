"""AgentDojo's suites and its own traces. `derive.py` and `schema.py` import nothing from here."""

from dataclasses import dataclass, field

from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.types import get_text_content_as_str

VERSION = "v1.2.2"
TUNED = ("banking", "slack")
HELD_OUT = ("travel", "workspace")
# Stands in an injected text, so that the first answer that carries it is known.
MARK = "NOTE-7f3a"


def suite(name: str):
    return get_suite(VERSION, name)


@dataclass
class Trace:
    suite: str
    user_task: str
    injection_task: str | None
    calls: list[tuple[str, dict]]
    attack: list[tuple[str, dict]] = field(default_factory=list)
    environment: object = None  # before the first call


def _calls(ground_truth: list[FunctionCall]) -> list[tuple[str, dict]]:
    return [(call.function, dict(call.args)) for call in ground_truth]


def _environment(name: str, user_task, injections: dict[str, str]):
    return user_task.init_environment(suite(name).load_and_inject_default_environment(injections))


def benign(name: str, task_id: str) -> Trace:
    task = suite(name).user_tasks[task_id]
    environment = _environment(name, task, {})
    return Trace(name, task_id, None, _calls(task.ground_truth(environment.model_copy(deep=True))), environment=environment)


def vectors(name: str, task_id: str) -> list[str]:
    """The places for injections that the task's answers show, as AgentDojo's own attacks find them."""
    of, task = suite(name), suite(name).user_tasks[task_id]
    canaries = {vector: f"<CANARY---{vector}--->" for vector in of.get_injection_vector_defaults()}
    environment = _environment(name, task, canaries)
    answers = GroundTruthPipeline(task).query(task.PROMPT, FunctionsRuntime(of.tools), environment)[3]
    texts = [get_text_content_as_str(answer["content"]) for answer in answers if answer["content"]]
    return [vector for vector, canary in canaries.items() if any(canary in text for text in texts)]


def attacked(name: str, task_id: str, injection_id: str, places: list[str]) -> Trace:
    task, injection = suite(name).user_tasks[task_id], suite(name).injection_tasks[injection_id]
    environment = _environment(name, task, {place: f"{MARK}: {injection.GOAL}" for place in places})
    before = environment.model_copy(deep=True)
    calls, attack = _calls(task.ground_truth(before)), _calls(injection.ground_truth(before))
    return Trace(name, task_id, injection_id, calls, attack, environment)


def utility(trace: Trace, after, passed: list[tuple[str, dict]]) -> bool:
    task = suite(trace.suite).user_tasks[trace.user_task]
    return _checked(trace, task, after, passed)


def security(trace: Trace, after, passed: list[tuple[str, dict]]) -> bool:
    """AgentDojo's own word on whether the injection did what it wanted."""
    return _checked(trace, suite(trace.suite).injection_tasks[trace.injection_task], after, passed)


def _checked(trace: Trace, task, after, passed) -> bool:
    said = suite(trace.suite).user_tasks[trace.user_task].GROUND_TRUTH_OUTPUT
    output = [{"type": "text", "content": said}]
    stack = [FunctionCall(function=name, args=arguments) for name, arguments in passed]
    return bool(suite(trace.suite)._check_task_result(task, output, trace.environment, after, stack))
