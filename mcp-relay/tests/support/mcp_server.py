"""A small MCP server over stdio, in both eras. Reports each line it receives on standard error, byte for byte."""

import json
import sys

cancelled = set()


def send(message):
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


def receive():
    line = sys.stdin.buffer.readline()
    if not line:
        print("end of input", file=sys.stderr)
        sys.exit(5)
    print(repr(line), file=sys.stderr)
    return json.loads(line) if line.strip() else None


def ask(method, params):
    """A request of the server's own; the client's next message answers it."""
    send({"jsonrpc": "2.0", "id": "server-1", "method": method, "params": params})
    return receive()["result"]


def call(message):
    params = message["params"]
    token = params.get("_meta", {}).get("progressToken")
    if token is not None:
        send({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
    if params["name"] == "ask":
        answer = ask("elicitation/create", {"message": "which?", "requestedSchema": {"type": "object"}})
        return {"content": [{"type": "text", "text": json.dumps(answer)}]}
    if params["name"] == "ask_by_result" and "inputResponses" not in params:
        return {"resultType": "input_required", "requestState": "s1", "inputRequests": {"which": {"method": "elicitation/create"}}}
    return {"content": [{"type": "text", "text": json.dumps(params.get("arguments"), ensure_ascii=False)}]}


while True:
    message = receive()
    if message is None or "method" not in message:
        continue
    method = message["method"]
    if method == "notifications/cancelled":
        cancelled.add(message["params"]["requestId"])
    if "id" not in message:
        continue
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif method == "server/discover":
        result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
    elif method == "tools/call":
        if message["params"]["name"] == "slow":
            # Waits for its own cancellation, and answers nothing.
            while message["id"] not in cancelled:
                note = receive()
                cancelled.add(note["params"]["requestId"])
            continue
        result = call(message)
    else:
        send({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}})
        continue
    send({"jsonrpc": "2.0", "id": message["id"], "result": result})
