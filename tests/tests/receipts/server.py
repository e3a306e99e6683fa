"""An MCP server whose answers are spelled in odd ways, the same bytes on every run, over stdio or HTTP; standard library only.

Each tool is an answer. `task` becomes a task, in either form; `held` waits for a file.
"""

import http.server
import json
import os
import sys
import threading
import time

# @ is the id.
ANSWERS = {
    "plain": '{"jsonrpc":"2.0","id":@,"result":{"content":[{"type":"text","text":"plain"}],"isError":false}}',
    "spaced": '{ "result" : { "content":[ { "text":"\\u0073paced \\/ \u00e4","type" : "text" }] ,\t"structuredContent":{"n":1.50} }, "id":@ , "jsonrpc":"2.0"}',
    "meta": '{"jsonrpc":"2.0","id":@,"result":{"content":[],"_meta":{"com.example/took":3.0,"a":{}}}}',
    "empty": '{"jsonrpc":"2.0","id":@,"result":{}}',
    "fails": '{"jsonrpc":"2.0","id":@,"result":{"isError":true,"content":[{"type":"text","text":"no"}]}}',
    "error": '{"jsonrpc":"2.0","id":@,"error":{"message":"no such thing","code":-32602}}',
    "error_data": '{"jsonrpc":"2.0","id":@,"error":{"message":"no","data":{"z":1,"a":[ ]},"code":7}}',
    # These can bear no receipt.
    "error_text": '{"jsonrpc":"2.0","id":@,"error":{"code":7,"data":"why","message":"no"}}',
    "null": '{"jsonrpc":"2.0","id":@,"result":null}',
    "number": '{"jsonrpc":"2.0","id":@,"result":{"n":9007199254740993,"content":[]}}',
}
RESULT = '{"content":[{"text":"from the task","type":"text"}],"isError":false}'
STATES = {
    "tasks/get": '{"jsonrpc":"2.0","id":@,"result":{"taskId":"t-1","status":"completed","resultType":"complete","result":%s}}' % RESULT,
    "tasks/result": '{"jsonrpc":"2.0","id":@,"result":%s}' % RESULT,
    "tasks/cancel": '{"jsonrpc":"2.0","id":@,"result":{"taskId":"t-1","status":"cancelled"}}',
    "tell": '{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"t-1","status":"completed","result":%s}}' % RESULT,
}
CREATED = '{"jsonrpc":"2.0","id":@,"result":{"resultType":"task","taskId":"t-1","status":"working"}}'
INITIALIZED = '{"jsonrpc":"2.0","id":@,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"odd","version":"1"}}}'
DISCOVERED = '{"jsonrpc":"2.0","id":@,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"odd","version":"1"}}}'


def answer(message: dict) -> list[str]:
    """The lines for a message."""
    method, identity = message.get("method"), json.dumps(message.get("id"))
    if "id" not in message:
        return []
    if method == "tools/call":
        tool = message["params"]["name"]
        if tool == "held":
            while not os.path.exists(message["params"]["arguments"]["until"]):
                time.sleep(0.005)
            tool = "plain"
        text = CREATED if tool == "task" else ANSWERS[tool]
    elif method == "tell":
        return [STATES["tell"], '{"jsonrpc":"2.0","id":%s,"result":{}}' % identity]
    else:
        text = STATES.get(method) or {"initialize": INITIALIZED, "server/discover": DISCOVERED}.get(method)
        text = text or '{"jsonrpc":"2.0","id":@,"result":{"pong":true}}'
    return [text.replace("@", identity)]


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        lines = answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        events = self.path == "/events"
        body = "".join(f"data: {line}\n\n" for line in lines) if events else "".join(lines)
        body = body.encode()
        self.send_response(200 if lines else 202)
        if lines:
            self.send_header("content-type", "text/event-stream" if events else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if sys.argv[1:2] == ["--http"]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    print(f"http://127.0.0.1:{server.server_port}{sys.argv[2]}", flush=True)
    server.serve_forever()


def say(message: dict) -> None:
    for line in answer(message):
        os.write(1, line.encode() + b"\n")


for text in sys.stdin.buffer:
    read = json.loads(text)
    if read.get("params", {}).get("name") == "held":
        threading.Thread(target=say, args=(read,), daemon=True).start()
    else:
        say(read)
