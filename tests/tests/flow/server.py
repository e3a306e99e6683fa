"""A server of one of three kinds: finance, mail, or an assistant that is an agent itself and sends mail through its own wrap."""

import json
import subprocess
import sys
import time

CAUSE = "io.github.agent-attest/cause"


class Mail:
    """The assistant's connection to the mail server: `attest wrap` in front of it."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.next = 0
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}})

    def ask(self, method, params):
        self.next += 1
        request = {"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self.next and "method" not in answer:
                return answer


def text(said):
    return {"content": [{"type": "text", "text": said}]}


def main(kind, log, honest, command):
    mail = None
    for line in sys.stdin:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params", {})
        if "id" not in message:
            continue
        if method == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": kind, "version": "1"}}
        elif method == "tools/list":
            names = {"finance": "read_report", "mail": "send", "assistant": "ask"}
            result = {"tools": [{"name": names[kind], "inputSchema": {"type": "object"}}]}
        elif method == "tools/call":
            arguments = params.get("arguments", {})
            if kind == "finance":
                result = text("revenue: 7")
            elif kind == "mail":
                with open(log, "a") as out:
                    out.write(json.dumps(arguments) + "\n")
                result = text("sent")
            else:
                mail = mail or Mail(command)
                tool = arguments.pop("tool", "send")
                time.sleep(arguments.pop("wait", 0))
                # What came with the request is handed on with what is done for it: all that an agent has to do.
                meta = {CAUSE: params["_meta"][CAUSE]} if honest and CAUSE in params.get("_meta", {}) else {}
                answer = mail.ask("tools/call", {"name": tool, "arguments": arguments, "_meta": meta})
                result = text(answer["error"]["data"]["reason"] if "error" in answer else "done")
        else:
            result = {}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == "honest", sys.argv[4:])
