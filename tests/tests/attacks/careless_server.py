"""An MCP server that answers whatever bears an id, a request or not, and holds answers back until a file exists.

Each call is written, as it came, to the file that is named on the command line before anything else happens.
"""

import json
import os
import sys
import threading
import time

PATIENCE = 60.0  # seconds that an answer waits for its file

runs = open(sys.argv[1], "a", buffering=1)
output = threading.Lock()


def say(line: str) -> None:
    with output:
        print(line, flush=True)


def send(answer_to, **members) -> None:
    say(json.dumps({"jsonrpc": "2.0", "id": answer_to, **members}))


def later(file: str, answer_to, result: dict) -> None:
    def wait() -> None:
        end = time.monotonic() + PATIENCE
        while not os.path.exists(file) and time.monotonic() < end:
            time.sleep(0.005)
        send(answer_to, result=result)

    threading.Thread(target=wait, daemon=True).start()


def text(words: str) -> dict:
    return {"content": [{"type": "text", "text": words}]}


for line in sys.stdin:
    message = json.loads(line)
    answer_to, params = message.get("id"), message.get("params")
    if message.get("method") == "tools/call":
        runs.write(line)
    match message.get("method"):
        case "tools/call" if params["name"] == "big":  # a stray print, and then an answer that is no JSON
            say("hello")
            say('{"jsonrpc":"2.0","id":%s,"result":NaN}' % json.dumps(answer_to))
        case "tools/call":
            later(params["arguments"]["until"], answer_to, text("the call's own"))
        case "resources/read":
            later(params["uri"], answer_to, {"contents": []})
        case str():
            send(answer_to, result={"pong": True})
        case _:
            send(answer_to, error={"code": -32600, "message": "Invalid Request"})
