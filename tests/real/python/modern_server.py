"""A small MCP server on the Python SDK 2.x, for what no published 2026-07-28 server offers: progress, cancellation,
questions put to the user in one round and in two, resources and prompts in that revision. Answers 2025-11-25 too."""

from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel

from fixture import furnish, options, ran, serve

server = MCPServer("attest-modern", version="1.0.0")
furnish(server, Context, ToolError)


class Name(BaseModel):
    name: str


async def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


async def ask_friend(who: Annotated[Name, Resolve(ask_name)]) -> Elicit[Name]:
    """Needs the first answer to ask, and so a second round."""
    return Elicit(f"And whom do you bring, {who.name}?", Name)


@server.tool()
async def greet(who: Annotated[Name, Resolve(ask_name)]) -> str:
    """Greet the user by the name they give when asked."""
    ran("greet", name=who.name)
    return f"Hello, {who.name}"


@server.tool()
async def invite(who: Annotated[Name, Resolve(ask_name)], friend: Annotated[Name, Resolve(ask_friend)]) -> str:
    """Greet the user and a friend, by the names they give when asked one after the other."""
    ran("invite", name=who.name, friend=friend.name)
    return f"Hello, {who.name} and {friend.name}"


if __name__ == "__main__":
    serve(server.streamable_http_app()) if options.http else server.run("stdio")
