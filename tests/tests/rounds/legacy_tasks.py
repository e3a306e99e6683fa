"""An MCP server of 2025-11-25 over stdio whose tools run as tasks where the call asks for that.

`good` ends with a result, `bad` with an error that the model can read, `lasting` never of itself. A task works until its
state was asked for once. Each run is a line in the file that is named on the command line.
"""

import json
import sys

runs = open(sys.argv[1], "a", buffering=1)
tasks: dict[str, dict] = {}

TIME = "2026-01-01T00:00:00Z"


def state(task_id: str, status: str) -> dict:
    return {"taskId": task_id, "status": status, "createdAt": TIME, "lastUpdatedAt": TIME, "ttl": 60000}


def result_of(tool: str) -> dict:
    return {"content": [{"type": "text", "text": f"{tool} is done"}], "isError": tool == "bad"}


def answer(method: str, params: dict) -> dict:
    match method:
        case "initialize":
            capabilities = {"tools": {}, "tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}}
            info = {"name": "legacy-tasks", "version": "1"}
            return {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info}
        case "tools/call":
            runs.write(json.dumps({"tool": params["name"], "arguments": params.get("arguments")}) + "\n")
            if "task" not in params:
                return result_of(params["name"])
            task_id = f"task-{len(tasks)}"
            tasks[task_id] = {"tool": params["name"], "status": "working"}
            return {"task": state(task_id, "working")}
        case "tasks/get":
            task = tasks[params["taskId"]]
            shown = task["status"]
            if task["tool"] != "lasting" and shown == "working":
                task["status"] = "completed"
            return state(params["taskId"], shown)
        case "tasks/result":
            related = {"io.modelcontextprotocol/related-task": {"taskId": params["taskId"]}}
            return {**result_of(tasks[params["taskId"]]["tool"]), "_meta": related}
        case "tasks/cancel":
            tasks[params["taskId"]]["status"] = "cancelled"
            return state(params["taskId"], "cancelled")
        case _:
            return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        result = answer(message["method"], message.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
