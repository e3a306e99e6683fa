"""An MCP server over HTTP that reads each request in the charset that its type names, as Express does, and answers as the
header X-Trick says. Each tools/call that it reads is a line in the file of its one argument."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENTS = "text/event-stream"


def answer(number, text):
    return json.dumps({"jsonrpc": "2.0", "id": number, "result": {"said": text}})


EVIL = answer(7, "EVIL")
# JSON to Python's reader and others like it.
LENIENT = answer(7, "EVIL").replace('"EVIL"', '"EVIL", "x": NaN')
HIDDEN = EVIL.replace('"', '\\"')
NOTE = '{"jsonrpc":"2.0","method":"n","params":{"x":"%s"}}' % ("\u2028\u2028data: " + HIDDEN + "\u2028\u2028")
# Trick: status, type, body. The request has the id 3; 7 is somebody else's.
TRICKS = {
    "batch": (200, "application/json", f"[{answer(3, 'FIRST')},{EVIL}]"),
    "marked batch": (200, "application/json", f"\ufeff[{answer(3, 'FIRST')},{EVIL}]"),
    "another's": (200, EVENTS, f"data: {EVIL}\n\ndata: {answer(3, 'FIRST')}\n\n"),
    "another's, whole": (200, "application/json", EVIL),
    "as text": (200, EVENTS, f"data: {answer('3', 'EVIL')}\n\ndata: {answer(3, 'FIRST')}\n\n"),
    "named": (200, EVENTS, f"event: x\ndata: {answer(3, 'FIRST')}\n\ndata: {answer(3, 'EVIL')}\n\n"),
    "second": (200, EVENTS, f"data: {answer(3, 'FIRST')}\n\ndata: {answer(3, 'EVIL')}\n\n"),
    "separator": (200, EVENTS, f"data: {NOTE}\n\ndata: {answer(3, 'FIRST')}\n\n"),
    "charset": (200, EVENTS + "; charset=utf-7", f"data: {answer(3, 'FIRST')}\n\n"),
    "nearly events": (200, EVENTS + "x", f"data: {EVIL}\n\ndata: {answer(3, 'FIRST')}\n\n"),
    "two types": (200, "application/json; x=" + EVENTS, f"data: {EVIL}\n\ndata: {answer(3, 'FIRST')}\n\n"),
    "elsewhere": (307, "text/plain", "EVIL"),
    "text on GET": (200, "text/plain", f"data: {EVIL}\n\n"),
    "events on GET": (200, EVENTS, f"data: {EVIL}\n\n"),
    "lenient on GET": (200, EVENTS, f"data: {LENIENT}\n\n"),
    "array on GET": (200, EVENTS, f"data: [{EVIL}]\n\n"),
}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self):
        status, kind, body = TRICKS.get(self.headers["X-Trick"], (200, "application/json", answer(3, "FIRST")))
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 307:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()
        self.wfile.write(body)

    do_GET = reply

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        charset = self.headers.get_content_charset("utf-8")
        if json.loads(body.decode(charset)).get("method") == "tools/call":
            with open(sys.argv[1], "a") as runs:
                runs.write("{}\n")
        self.reply()


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/mcp", flush=True)
server.serve_forever()
