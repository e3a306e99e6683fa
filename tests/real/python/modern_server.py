"""A small MCP server on the Python SDK 2.x, for what no published 2026-07-28 server offers over stdio:
progress, cancellation, a question put to the user, resources and prompts in that revision."""

import asyncio
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel

server = MCPServer("attest-modern", version="1.0.0")
count_was_cancelled = asyncio.Event()


class Name(BaseModel):
    name: str


async def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def fail() -> str:
    """Always fail, in a way the model can read."""
    raise ToolError("this tool always fails")


@server.tool()
async def count(steps: int, ctx: Context) -> str:
    """Count up, reporting each step; slow enough to be cancelled when steps is large."""
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
    try:
        await asyncio.wait_for(count_was_cancelled.wait(), timeout=10)
    except TimeoutError:
        raise ToolError("no count was cancelled") from None
    return "a count was cancelled"


@server.tool()
async def greet(who: Annotated[Name, Resolve(ask_name)]) -> str:
    """Greet the user by the name they give when asked."""
    return f"Hello, {who.name}"


@server.resource("note://one", mime_type="text/plain")
def note() -> str:
    """A note."""
    return "naïve “note” ✓"


@server.prompt()
def review(subject: str) -> str:
    """Ask for a review."""
    return f"Please review {subject}."


if __name__ == "__main__":
    server.run("stdio")
