"""A scripted API of a model, in the three dialects, for tests of what stands in front of it. Standard library only.

With tools it answers by a call of the first one, {"text": "hi"}; without, and where it was given a tool's result, by the text
"done". Each request is written to the file in argv[1] before it is answered: one line of JSON, {"method", "path", "headers",
"body"}. Two models are special: of "slow" the second half of a stream comes once there is a file argv[1].go; of
"endless" events come until nobody reads any more, which makes a file argv[1].gone.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = sys.argv[1]
ARGUMENTS = json.dumps({"text": "hi"})


def tool_of(request):
    """The name of the first tool, unless its result is there already."""
    turns = request.get("messages") or request.get("input")
    answered = isinstance(turns, list) and ("tool_result" in (text := json.dumps(turns)) or '"role": "tool"' in text)
    answered = answered or "function_call_output" in json.dumps(turns)
    tools = request.get("tools") or []
    return None if answered or not tools else tools[0].get("name") or tools[0]["function"]["name"]


def chat(request):
    tool, base = tool_of(request), {"id": "c1", "created": 1, "model": request["model"]}
    call = {"id": "t1", "type": "function", "function": {"name": tool, "arguments": ARGUMENTS}}
    message = {"role": "assistant", "content": None if tool else "done"} | ({"tool_calls": [call]} if tool else {})
    reason = "tool_calls" if tool else "stop"
    whole = base | {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    delta = dict(message) | ({"tool_calls": [call | {"index": 0}]} if tool else {})
    parts = [delta, {}]
    events = [
        (None, base | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": r}]})
        for d, r in zip(parts, [None, reason])
    ]
    return whole, events


def responses(request):
    tool = tool_of(request)
    item = (
        {"type": "function_call", "id": "f1", "call_id": "t1", "name": tool, "arguments": ARGUMENTS, "status": "completed"}
        if tool
        else {
            "type": "message",
            "id": "m1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "done", "annotations": []}],
        }
    )
    whole = {
        "id": "r1",
        "object": "response",
        "created_at": 1,
        "model": request["model"],
        "status": "completed",
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    events = [
        ("response.created", {"sequence_number": 0, "response": whole | {"status": "in_progress", "output": []}}),
        ("response.output_item.done", {"sequence_number": 1, "output_index": 0, "item": item}),
        ("response.completed", {"sequence_number": 2, "response": whole}),
    ]
    return whole, [(kind, {"type": kind} | event) for kind, event in events]


def messages(request):
    tool = tool_of(request)
    block = {"type": "tool_use", "id": "t1", "name": tool, "input": {"text": "hi"}} if tool else {"type": "text", "text": "done"}
    reason = "tool_use" if tool else "end_turn"
    base = {"id": "m1", "type": "message", "role": "assistant", "model": request["model"], "stop_sequence": None}
    usage = {"input_tokens": 1, "output_tokens": 1}
    whole = base | {"content": [block], "stop_reason": reason, "usage": usage}
    begun = block | ({"input": {}} if tool else {"text": ""})
    delta = {"type": "input_json_delta", "partial_json": ARGUMENTS} if tool else {"type": "text_delta", "text": "done"}
    events = [
        {"type": "message_start", "message": base | {"content": [], "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": begun},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return whole, [(event["type"], event) for event in events]


DIALECTS = {"/chat/completions": chat, "/responses": responses, "/messages": messages}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.record("")
        if self.path == "/v1/moved":
            self.send_response(307)
            self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.whole({"object": "list", "data": []})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.record(body.decode("utf-8", "backslashreplace"))
        dialect = next((d for ending, d in DIALECTS.items() if self.path.split("?")[0].endswith(ending)), None)
        if dialect is None:
            return self.whole({"object": "list", "data": []})
        request = json.loads(body)
        whole, events = dialect(request)
        if not request.get("stream"):
            return self.whole(whole)
        self.stream(request["model"], events)

    def record(self, body):
        line = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
        with open(LOG, "a") as log:
            log.write(json.dumps(line) + "\n")

    def whole(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, model, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at, (kind, event) in enumerate(events):
            while at and model == "slow" and not os.path.exists(LOG + ".go"):
                time.sleep(0.01)
            while model == "endless":
                try:
                    self.event(kind, event)
                    time.sleep(0.02)
                except OSError:
                    open(LOG + ".gone", "w").close()
                    raise SystemExit from None
            self.event(kind, event)
        if "/chat/" in self.path:
            self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def event(self, kind, event):
        named = f"event: {kind}\n" if kind else ""
        self.chunk(f"{named}data: {json.dumps(event)}\n\n".encode())

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
