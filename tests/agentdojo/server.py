"""An MCP server over stdio with the tools and the environment of one AgentDojo suite, for one run of one task.

    server.py SUITE USER_TASK FOLDER    FOLDER/injections.json: from injection vector to text

After each call FOLDER/environment.pickle holds what the tools work on, for AgentDojo's own check of the outcome. Tools,
descriptions, schemas and results are AgentDojo's own: what its models are shown, this server says.
"""

import json
import pickle
import sys
from pathlib import Path

import suites


def answer(of, env, runtime, method: str, params: dict):
    match method:
        case "initialize":
            return {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": of.name, "version": suites.VERSION},
            }
        case "ping":
            return {}
        case "tools/list":
            tools = runtime.functions.values()
            return {"tools": [listed(tool) for tool in tools]}
        case "tools/call":
            result, error = runtime.run_function(env, params["name"], params.get("arguments", {}))
            text = suites.shown(result) if error is None else error
            return {"content": [{"type": "text", "text": text}], "isError": error is not None}
    return None


def listed(tool) -> dict:
    schema = tool.parameters.model_json_schema()
    return {"name": tool.name, "description": tool.description, "inputSchema": schema}


def main() -> None:
    name, user_task, folder = sys.argv[1:]
    of = suites.suite(name)
    env = suites.environment(of, user_task, json.loads(Path(folder, "injections.json").read_text("utf-8")))
    runtime = suites.runtime(of)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        said = {"jsonrpc": "2.0", "id": message["id"]}
        result = answer(of, env, runtime, message["method"], message.get("params", {}))
        if result is None:
            said["error"] = {"code": -32601, "message": f"no method {message['method']}"}
        else:
            said["result"] = result
        if message["method"] == "tools/call":
            Path(folder, "environment.pickle").write_bytes(pickle.dumps(env))
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
