"""A server on the Python SDK 2.x and uvicorn, stateless. One tool, `count`, which appends what it is given to the file after
--runs. Prints its URL on standard output once it listens."""

import argparse
import json
import socket

import uvicorn
from mcp.server.mcpserver import MCPServer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--runs", required=True)
runs = parser.parse_args().runs
server = MCPServer("attest-count", version="1.0.0")


@server.tool()
def count(who: str) -> str:
    """Count a run."""
    with open(runs, "a", encoding="utf-8") as file:
        file.write(json.dumps(who) + "\n")
    return "counted"


listener = socket.create_server(("127.0.0.1", 0))
app = server.streamable_http_app(stateless_http=True)
# The socket queues connections from here on, so the URL is good before uvicorn takes the first.
print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
