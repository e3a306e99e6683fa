"""The server of fixture.py on the Python SDK 1.x: 2025-11-25, where a server asks by a request of its own, in the middle
of the call."""

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from pydantic import BaseModel

from fixture import furnish, options, ran, serve

server = FastMCP("attest-legacy")
furnish(server, Context, ToolError)


class Name(BaseModel):
    name: str


@server.tool()
async def greet(ctx: Context) -> str:
    """Greet the user by the name they give when asked."""
    answer = await ctx.elicit("What is your name?", Name)
    ran("greet", name=answer.data.name)
    return f"Hello, {answer.data.name}"


if __name__ == "__main__":
    serve(server.streamable_http_app()) if options.http else server.run("stdio")
