"""Somebody between a guard and a wrap, who changes answers: `tamper.py TRICK -- COMMAND` over stdio, `tamper.py TRICK URL` over HTTP.

Holds no key. Passes requests on as they come, and does one thing to each answer that bears a receipt, or to the second one where a
trick needs two.
"""

import http.server
import json
import subprocess
import sys
import threading
import urllib.request

MEMBER = "io.github.agent-attest/receipt"
trick = sys.argv[1]
seen: list[dict] = []


def place(message: dict) -> dict | None:
    for outer, inner in (("result", "_meta"), ("error", "data"), ("params", "_meta")):
        found = (message.get(outer) or {}).get(inner) if isinstance(message.get(outer), dict) else None
        if isinstance(found, dict) and MEMBER in found:
            return found
    return None


def result_of(message: dict) -> dict:
    """The tool's result in a message, or what stands for it."""
    holder = message.get("result") or message.get("params") or message.get("error")
    return holder.get("result", holder)


def tampered(line: str) -> str:
    try:
        message = json.loads(line)
    except ValueError:
        return line
    if not isinstance(message, dict):
        return line
    found = place(message)
    if found is None:
        if trick == "again" and seen and "result" in message.get("result", {}):
            message["result"]["result"]["content"] = []
            return json.dumps(message)
        return line
    seen.append(json.loads(line))
    first, receipts = seen[0], found[MEMBER]
    match trick:
        case "result":
            result_of(message)["content"] = [{"type": "text", "text": "TAMPERED"}]
        case "status":
            result_of(message)["isError"] = True
        case "error":
            message["error"] = {"code": 1, "message": "TAMPERED", "data": message.pop("result")["_meta"]}
        case "drop":
            del found[MEMBER]
        case "drop_and_change":
            del found[MEMBER]
            result_of(message)["content"] = [{"type": "text", "text": "TAMPERED"}]
        case "receipt" if len(seen) > 1:
            found[MEMBER] = place(first)[MEMBER]
        case "token" if len(seen) > 1:
            receipts[0]["receipt"] = place(first)[MEMBER][0]["receipt"]
        case "proof" if len(seen) > 1:
            receipts[0]["proof"] = place(first)[MEMBER][0]["proof"]
        case "replay" if len(seen) > 1:
            message = first | {"id": message["id"]}
        case "both":
            message["error"] = {"code": 1, "message": "TAMPERED"}
        case "case":
            return line.replace("{", '{"Result":{"content":[{"type":"text","text":"TAMPERED"}]},', 1)
        case "twice":
            return line.replace("{", '{"result":{"content":[{"type":"text","text":"TAMPERED"}]},', 1)
        case "one_of_two" if len(receipts) > 1:
            receipts.pop()
        case "refusal":
            data = {"reason": "replay"}
            message = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -31401, "data": data, "message": "TAMPERED"}}
        case "refusal_result":
            content = [{"type": "text", "text": "TAMPERED"}]
            meta = {"io.github.agent-attest/refusal": {"reason": "replay"}}
            message = {"jsonrpc": "2.0", "id": message["id"], "result": {"_meta": meta, "content": content, "isError": True}}
        case "unknown_refusal":
            data = {"reason": "TAMPERED"}
            message = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -31401, "data": data, "message": "TAMPERED"}}
        case "text":
            return '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"TAMPERED"}]} ' % json.dumps(message.get("id"))
        case _:
            return line
    return json.dumps(message)


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length", "connection")}
        request = urllib.request.Request(sys.argv[2], body, headers)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        text = answer.read().decode()
        if "event-stream" in answer.headers.get("content-type", ""):
            lines = [f"data: {tampered(line[5:].strip())}" if line.startswith("data:") else line for line in text.split("\n")]
            text = "\n".join(lines)
        elif text:
            text = tampered(text)
        text = text.encode()
        self.send_response(answer.status)
        for name in ("content-type", "mcp-session-id"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if sys.argv[2] != "--":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    print(f"http://127.0.0.1:{server.server_port}/mcp", flush=True)
    server.serve_forever()

child = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def forward() -> None:
    for line in sys.stdin.buffer:
        child.stdin.write(line)
        child.stdin.flush()
    child.stdin.close()


threading.Thread(target=forward, daemon=True).start()
for line in child.stdout:
    sys.stdout.write(tampered(line.decode().rstrip("\n")) + "\n")
    sys.stdout.flush()
sys.exit(child.wait())
