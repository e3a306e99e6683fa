"""An MCP server that answers every tools/call alike: with the `error` or `result` of a file, and over HTTP with a given
status. For what a client makes of a refusal. Plain JSON-RPC of both revisions, standard library only; see ../README.md."""

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

options = argparse.ArgumentParser()
options.add_argument("--answer", required=True, help='JSON file: {"error": …} or {"result": …}')
options.add_argument("--http", action="store_true", help="serve Streamable HTTP; print the URL")
options.add_argument("--status", type=int, default=200, help="HTTP status of the answer")
options.add_argument("--runs", help="file that gets a line for each tools/call")
options = options.parse_args()
with open(options.answer, encoding="utf-8") as file:
    ANSWER = json.load(file)

ABOUT = {"name": "attest-fake", "version": "1.0.0"}
TOOL = {"name": "act", "description": "Is refused.", "inputSchema": {"type": "object", "properties": {}}}
CACHE = {"ttlMs": 0, "cacheScope": "private"}
METHOD_NOT_FOUND = {"error": {"code": -32601, "message": "Method not found"}}


def answered(message: dict) -> tuple[int, dict]:
    """HTTP status and the answer's `error` or `result`."""
    params = message.get("params") or {}
    # Each request of 2026-07-28 says so; those of 2025-11-25 do not.
    revision = params.get("_meta", {}).get("io.modelcontextprotocol/protocolVersion")
    match message["method"]:
        case "initialize":
            result = {"protocolVersion": params["protocolVersion"], "serverInfo": ABOUT, "capabilities": {"tools": {}}}
        case "server/discover":
            result = CACHE | {"supportedVersions": ["2026-07-28"], "serverInfo": ABOUT, "capabilities": {"tools": {}}}
        case "tools/list":
            result = CACHE | {"tools": [TOOL]}
        case "ping":
            result = {}
        case "tools/call":
            if options.runs:
                run = {"tool": params.get("name"), "arguments": params.get("arguments"), "protocol": revision}
                with open(options.runs, "a", encoding="utf-8") as runs:
                    runs.write(json.dumps(run) + "\n")
            return options.status, ANSWER
        case _:
            return 200, METHOD_NOT_FOUND
    return 200, {"result": result | ({"resultType": "complete"} if revision else {})}


def texts(line: bytes):
    """Status and text of the answer to a message; nothing for a notification or a response."""
    message = json.loads(line)
    if "method" in message and "id" in message:
        status, answer = answered(message)
        yield status, json.dumps({"jsonrpc": "2.0", "id": message["id"]} | answer, ensure_ascii=False).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if body:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for status, text in texts(body):
            self.reply(status, text)
            return
        self.reply(202)

    def do_GET(self) -> None:  # neither a stream nor a session is offered
        self.reply(405)

    do_DELETE = do_GET

    def log_message(self, *_words) -> None:
        pass


def main() -> None:
    if options.http:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        print(f"listening on http://127.0.0.1:{server.server_address[1]}/mcp", flush=True)
        server.serve_forever()
    for line in sys.stdin.buffer:
        for _status, text in texts(line):
            sys.stdout.buffer.write(text + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
