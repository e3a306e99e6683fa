"""An MCP server over stdio, in both eras, that does what a test asks of it and when. It writes `end of input` on standard
error when its input ends."""

import json
import sys

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
VERSION = "io.modelcontextprotocol/protocolVersion"

held = {}  # key: (id, progress token)
cancelled = []  # keys
waiting = []  # (id, what it waits for)
asked = None  # id of the call that waits for what the client answers
listening = []  # ids
calls = 0


def line(text):
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def send(**message):
    line(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False))


def answer(id, value):
    send(id=id, result={"content": [{"type": "text", "text": json.dumps(value, ensure_ascii=False)}]})


def fail(id, code, **data):
    send(id=id, error={"code": code, "message": "no", **({"data": data} if data else {})})


def progress(token, text):
    if token is not None:
        send(method="notifications/progress", params={"progressToken": token, "progress": 1, "message": text})


def settle():
    """Answers the calls whose wait is over."""
    for entry in list(waiting):
        id, wanted = entry
        if wanted in held or (wanted is None and cancelled):
            waiting.remove(entry)
            answer(id, wanted or cancelled.pop(0))


def call(id, params):
    global asked, calls
    calls += 1
    token = params.get("_meta", {}).get("progressToken")
    name, args = params["name"], params.get("arguments") or {}
    if name == "echo":
        progress(token, "echoing")
        answer(id, args)
    elif name == "hold":  # until released
        held[args["key"]] = (id, token)
        progress(token, args["key"] + " held")
    elif name == "release":
        for round in ("one", "two"):
            for key in args["keys"]:
                progress(held[key][1], f"{key} {round}")
        for key in args["keys"]:
            answer(held.pop(key)[0], key)
        answer(id, "released")
    elif name == "await_held":
        waiting.append((id, args["key"]))
    elif name == "await_cancelled":
        waiting.append((id, None))
    elif name == "flood":
        held["flood"] = (id, token)
        for n in range(args["count"]):
            progress(token, "x" * args["size"])
    elif name == "ask":
        asked = id
        send(id="s-1", method="elicitation/create", params={"message": "which?", "requestedSchema": {"type": "object"}})
    elif name == "lenient":
        line('{"jsonrpc":"2.0","id":%s,"result":{"secret":9007199254740993}}' % json.dumps(id))
    elif name == "gossip":  # what names no request
        send(method="notifications/message", params={"level": "info", "data": "secret"})
        send(method="notifications/tools/list_changed")
        answer(id, "said")
    elif name == "touch":  # tells the subscribers
        for subscription in listening:
            send(method="notifications/tools/list_changed", params={"_meta": {SUBSCRIPTION: subscription}})
        answer(id, "touched")
    elif name == "long":
        answer(id, "x" * args["size"])
    elif name == "count":
        answer(id, calls)
    elif name == "die":
        sys.exit(3)
    else:
        fail(id, -32602)
    settle()


def request(id, method, params):
    version = params.get("_meta", {}).get(VERSION)
    if method == "initialize":
        if params["protocolVersion"] == "refused":
            return fail(id, -32602)
        if params["protocolVersion"] == "silent":
            return print("silent", file=sys.stderr, flush=True)
        send(id=id, result={"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                            "serverInfo": {"name": "s", "version": "1"}})
    elif method == "server/discover" and version is None:
        fail(id, -32602)
    elif version not in (None, "2026-07-28"):
        fail(id, -32022, supported=["2026-07-28"], requested=version)
    elif method == "server/discover":
        send(id=id, result={"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})
    elif method == "subscriptions/listen":
        listening.append(id)
        send(method="notifications/subscriptions/acknowledged",
             params={"_meta": {SUBSCRIPTION: id}, "notifications": params["notifications"]})
    elif method == "tools/list":
        schema = {"type": "object", "properties": {"x": {"type": "string", "x-mcp-header": "X"}}}
        send(id=id, result={"tools": [{"name": "echo", "inputSchema": schema}]})
    elif method == "tools/call":
        call(id, params)
    else:
        fail(id, -32601)


def receive(message):
    method, params = message.get("method"), message.get("params", {})
    if method == "notifications/cancelled":
        for key in [key for key, (id, _) in held.items() if id == params["requestId"]]:
            del held[key]
            cancelled.append(key)
        if params["requestId"] in listening:
            listening.remove(params["requestId"])
            cancelled.append("subscription")
        settle()
    elif method == "notifications/poke":
        send(method="notifications/tools/list_changed", params={"n": params["n"]})
    elif method is None and message.get("id") == "s-1":
        answer(asked, message["result"])
    elif method is not None and "id" in message:
        request(message["id"], method, params)


for received in sys.stdin.buffer:
    receive(json.loads(received))
print("end of input", file=sys.stderr)
