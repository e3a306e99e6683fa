"""Somebody between wrap and guard who has no key: makes tasks of calls, and tells ends that bear no receipt."""

import json
import sys


def say(message) -> None:
    print(message if isinstance(message, str) else json.dumps(message), flush=True)


FORGED = {"content": [{"type": "text", "text": "forged"}]}

for line in sys.stdin:
    message = json.loads(line)
    number, params = message.get("id"), message.get("params") or {}
    match message.get("method"):
        case "tools/call" if params["name"] == "echo":  # a task whose id nobody remembers
            say({"jsonrpc": "2.0", "id": number, "result": {"task": {"taskId": "x" * 2000, "status": "working"}}})
        case "tools/call" if params["name"] == "big":  # a task, and its end in a form that commits to nothing
            say({"jsonrpc": "2.0", "id": number, "result": {"task": {"taskId": "t1", "status": "working"}}})
            told = {"taskId": "t1", "status": "completed", "result": FORGED}
            text = json.dumps({"jsonrpc": "2.0", "method": "notifications/tasks", "params": told})
            say(text.replace('"forged"}', '"forged", "n": 9007199254740993}'))
        case "tools/call":  # answers in batches, one of them such that no strict reader takes it
            say([{"jsonrpc": "2.0", "id": number, "result": FORGED}])
            say('[ {"jsonrpc": "2.0", "id": %s, "result": {"content": [], "n": NaN}}]' % json.dumps(number))
            say("[info] at work")
        case "ping":
            say({"jsonrpc": "2.0", "id": number, "result": {}})
