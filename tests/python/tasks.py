"""Tasks: which one a call made, who asks about it, and how it ended (spec/task.md)."""

from typing import Any

from extension import at
from messages import of_error, of_result
from strict_json import JsonDefect, read

_OF_A_RESULT = {"content", "error", "isError", "result", "structuredContent", "toolResult"}
_ASKED = {"tasks/get": "state", "tasks/cancel": "state", "tasks/result": "result"}
_TOLD = ("notifications/tasks", "notifications/tasks/status")
Ended = tuple[str, str | None]


def _id(task: Any) -> str | None:
    found = at(task, "taskId")
    return found if isinstance(found, str) else None


def created(text: bytes) -> str | None:
    """Rules 1 to 3."""
    result = at(read(text), "result")
    if not isinstance(result, dict) or _OF_A_RESULT & set(result):
        return None
    if "resultType" in result:
        return _id(result) if result["resultType"] == "task" else None
    return _id(result.get("task")) if set(result) <= {"task", "_meta"} else None


def asked(text: bytes) -> tuple[str, str | None]:
    """Rule 4."""
    message = read(text)
    method = at(message, "method")
    task = _id(at(message, "params"))
    if not isinstance(method, str) or method not in _ASKED or task is None:
        return "no", None
    return _ASKED[method], task


def told(text: bytes) -> str | None:
    """Rule 5."""
    message = read(text)
    return _id(at(message, "params")) if at(message, "method") in _TOLD else None


def outcome(text: bytes, question: str, salt: bytes) -> Ended:
    """Rules 6 to 11: status and digest; `open` where the task goes on."""
    try:
        message = read(text)
    except JsonDefect:
        return "result", None
    if question == "told":
        return _state(at(message, "params"), salt)
    if not isinstance(message, dict) or "result" not in message:
        return "open", None
    return of_result(message["result"], salt) if question == "result" else _state(message["result"], salt)


def _state(task: Any, salt: bytes) -> Ended:
    status = at(task, "status")
    if status == "completed" and "result" in task:
        return of_result(task["result"], salt)
    if status == "failed":
        return "error", of_error(task["error"], salt) if "error" in task else None
    return ("cancelled" if status == "cancelled" else "open"), None
