"""An MCP server for tests of what stands in front of it: plain JSON-RPC of both eras, standard library only.

It forgives everything that some real server forgives (batches, a last duplicate member that wins, member names in any
case, a byte-order mark, UTF-16, gzip, CR as a line's end, NUL as a text's end, two texts in one line), so that a message
which a stricter reader overlooked runs a tool here, and shows. Each run is written to the file --runs before anything
else happens: one line of JSON, {"tool", "arguments"}, also for a tool that is not offered.
"""

import argparse
import json
import os
import re
import sys
import threading
import time
import zlib

OFFERED = ["big", "chatty", "die", "echo", "fail", "farewell", "hold", "show"]
PATIENCE = 60.0  # seconds that `hold` waits for its file

options = argparse.ArgumentParser()
options.add_argument("--runs", required=True, help="file that gets a line for each run of a tool")
options = options.parse_args()
output = threading.Lock()


def say(line: bytes) -> None:
    with output:
        view = memoryview(line + b"\n")
        while view:
            view = view[os.write(1, view) :]


def send(message: dict) -> None:
    say(json.dumps({"jsonrpc": "2.0"} | message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def text(words: str) -> dict:
    return {"content": [{"type": "text", "text": words}], "resultType": "complete"}


def texts_of(line: bytes):
    """The JSON texts in a line, as a forgiving reader finds them."""
    is_wide = line[:2] in (b"\xff\xfe", b"\xfe\xff")
    line = line.decode("utf-16" if is_wide else "utf-8-sig", "replace")
    decoder = json.JSONDecoder(strict=False)
    at = 0
    while at < len(line):
        if line[at].isspace() or line[at] == "\0":
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(line, at)
        except (ValueError, RecursionError):
            break
        yield value, line


def lines_of(descriptor: int):
    buffer = b""
    while chunk := os.read(descriptor, 65536):
        buffer += chunk
        if buffer.startswith(b"\x1f\x8b"):
            unzip = zlib.decompressobj(31)
            try:
                inner = unzip.decompress(buffer)
            except zlib.error:
                inner = b""
            if unzip.eof:
                buffer = inner + b"\n" + unzip.unused_data
            elif inner:
                continue
        *lines, buffer = re.split(rb"[\r\n]", buffer)
        yield from lines


def folded(message: dict) -> dict:
    """Names without case, and up to a NUL, as a reader in C sees them."""
    return {name.lower().partition("\0")[0]: value for name, value in message.items()}


def run(tool: str, arguments, answer_to, line: str) -> None:
    def result(value: dict) -> None:
        send({"id": answer_to, "result": value})

    arguments = arguments if isinstance(arguments, dict) else {}
    match tool:
        case "echo":
            result(text(json.dumps(arguments, ensure_ascii=False, sort_keys=True)))
        case "show":
            result(text(line))
        case "fail":
            result(text("this tool always fails") | {"isError": True})
        case "hold":  # until the file {"until"} exists
            end = time.monotonic() + PATIENCE
            while not os.path.exists(arguments["until"]) and time.monotonic() < end:
                time.sleep(0.005)
            result(text("held"))
        case "big":  # a number that no double holds
            say(b'{"jsonrpc":"2.0","id":%s,"result":{"n":9007199254740993,"content":[]}}' % json.dumps(answer_to).encode())
        case "chatty":
            print("a word on standard error", file=sys.stderr, flush=True)
            send({"method": "notifications/message", "params": {"level": "info", "data": "a notification"}})
            send({"id": "from-server", "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}})
            result(text("said"))
        case "farewell":  # answers, then ends
            result(text("farewell"))
            os._exit(int(arguments.get("code", 0)))
        case "die":  # ends without an answer
            os._exit(int(arguments.get("code", 1)))
        case _:
            send({"id": answer_to, "error": {"code": -32602, "message": f"no such tool: {tool}"}})


def call(params: dict, answer_to, line: str) -> None:
    tool, arguments = params.get("name"), params.get("arguments")
    record = json.dumps({"tool": tool, "arguments": arguments}, ensure_ascii=False) + "\n"
    runs = os.open(options.runs, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(runs, record.encode("utf-8", "replace"))
    os.close(runs)
    if tool == "hold":
        threading.Thread(target=run, args=(tool, arguments, answer_to, line), daemon=True).start()
    else:
        run(tool, arguments, answer_to, line)


def on_message(message, line: str) -> None:
    if isinstance(message, list):
        for inner in message:
            on_message(inner, line)
        return
    if not isinstance(message, dict):
        return
    message = folded(message)
    params = message.get("params")
    params = folded(params) if isinstance(params, dict) else {}
    answer_to = message.get("id")
    server = {"name": "attest-tool-server", "version": "1.0.0"}
    match str(message.get("method")).partition("\0")[0]:
        case "tools/call":
            call(params, answer_to, line)
        case "initialize":
            version = params.get("protocolversion", "2025-11-25")
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}
            send({"id": answer_to, "result": result})
        case "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "serverInfo": server}
            send({"id": answer_to, "result": result | {"resultType": "complete"}})
        case "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in OFFERED]
            send({"id": answer_to, "result": {"tools": tools, "resultType": "complete"}})
        case "ping":
            send({"id": answer_to, "result": {"resultType": "complete"}})
        case method if answer_to is not None and "method" in message:
            send({"id": answer_to, "error": {"code": -32601, "message": f"no such method: {method}"}})


for received in lines_of(0):
    for value, line in texts_of(received):
        on_message(value, line)
