"""AgentDojo's suites without its models: environments, tools, tasks and attack texts."""

import sys
import types
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

import yaml

VERSION = "v1.2.2"
NAMES = ("banking", "slack", "travel", "workspace")


def _without_models() -> None:
    """Importing any module of `agentdojo.agent_pipeline` would import the clients of every model vendor. Bare packages in their
    place let its other modules be imported as they are."""
    root = Path(find_spec("agentdojo").submodule_search_locations[0])
    for name, folder in (("agent_pipeline", "agent_pipeline"), ("agent_pipeline.llms", "agent_pipeline/llms")):
        package = types.ModuleType(f"agentdojo.{name}")
        package.__path__ = [str(root / folder)]
        sys.modules[package.__name__] = package
    # The one name that `tool_execution` takes from there.
    google = types.ModuleType("agentdojo.agent_pipeline.llms.google_llm")
    google.EMPTY_FUNCTION_NAME = "<empty-function-name>"
    sys.modules[google.__name__] = google


_without_models()

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str as shown  # noqa: E402, F401
from agentdojo.functions_runtime import FunctionsRuntime  # noqa: E402
from agentdojo.task_suite import task_suite  # noqa: E402
from agentdojo.task_suite.load_suites import get_suite  # noqa: E402

# An environment is read from YAML again for each run: by libyaml, and each file once.
yaml.safe_load = partial(yaml.load, Loader=yaml.CSafeLoader)
task_suite.read_suite_file = lru_cache(maxsize=None)(task_suite.read_suite_file)


def suite(name: str):
    return get_suite(VERSION, name)


def environment(of, user_task: str, injections: dict[str, str]):
    """What the tools of a suite work on when this user task begins."""
    return of.user_tasks[user_task].init_environment(of.load_and_inject_default_environment(injections))


def runtime(of) -> FunctionsRuntime:
    return FunctionsRuntime(of.tools)
