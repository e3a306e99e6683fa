"""What our Python servers share: options, the record of runs, the tools that every SDK can offer, and serving over HTTP.

Each SDK's server is a file of a few lines beside this one; see ../README.md."""

import argparse
import asyncio
import json
import os
import socket

parser = argparse.ArgumentParser()
parser.add_argument("--http", action="store_true", help="serve Streamable HTTP; print the URL")
parser.add_argument("--runs", help="file that gets a line for each run of a tool")
options = parser.parse_args()


def ran(tool: str, **arguments) -> None:
    """Before anything else happens: a call that was let through by mistake shows, whatever comes of it."""
    if options.runs:
        line = json.dumps({"tool": tool, "arguments": arguments}, ensure_ascii=False) + "\n"
        runs = os.open(options.runs, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(runs, line.encode())
        os.close(runs)


def furnish(server, Context: type, ToolError: type) -> None:  # noqa: N803 (types of the SDK)
    """Gives a server its tools, a resource and a prompt. The SDKs read the annotations."""
    count_was_cancelled = asyncio.Event()

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        ran("add", a=a, b=b)
        return a + b

    @server.tool()
    def fail() -> str:
        """Always fail, in a way the model can read."""
        ran("fail")
        raise ToolError("this tool always fails")

    @server.tool()
    async def count(steps: int, ctx: Context) -> str:
        """Count up, reporting each step; slow enough to be cancelled when steps is large."""
        ran("count", steps=steps)
        try:
            for done in range(1, steps + 1):
                await asyncio.sleep(0.02)
                await ctx.report_progress(done, steps, f"step {done}")
        except asyncio.CancelledError:
            count_was_cancelled.set()
            raise
        return f"counted to {steps}"

    @server.tool()
    async def wait_for_cancelled_count() -> str:
        """Return once a count was cancelled: shows that the cancellation reached the server."""
        ran("wait_for_cancelled_count")
        try:
            await asyncio.wait_for(count_was_cancelled.wait(), timeout=10)
        except TimeoutError:
            raise ToolError("no count was cancelled") from None
        return "a count was cancelled"

    @server.resource("note://one", mime_type="text/plain")
    def note() -> str:
        """A note."""
        return "naïve “note” ✓"

    @server.prompt()
    def review(subject: str) -> str:
        """Ask for a review."""
        return f"Please review {subject}."


def serve(app) -> None:
    """On a free port of the loopback interface."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
