"""The server of fixture.py on FastMCP: both revisions. Its questions are made by hand, with a state that the client has
to bring back, since FastMCP has no other way to ask in 2026-07-28."""

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from mcp_types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult
from pydantic import BaseModel

from fixture import furnish, options, ran, serve

server = FastMCP("attest-fastmcp", version="1.0.0")
furnish(server, Context, ToolError)


class Name(BaseModel):
    name: str


def asking(message: str, state: str) -> InputRequiredResult:
    params = ElicitRequestFormParams(message=message, requested_schema=Name.model_json_schema())
    return InputRequiredResult(input_requests={"name": ElicitRequest(params=params)}, request_state=state)


@server.tool()
async def greet(ctx: Context) -> str | InputRequiredResult:
    """Greet the user by the name they give when asked."""
    if ctx.request_context.protocol_version < "2026":
        name = (await ctx.elicit("What is your name?", Name)).data.name
    elif ctx.input_responses is None:
        return asking("What is your name?", "asked once")
    else:
        name = ctx.input_responses["name"].content["name"]
    ran("greet", name=name)
    return f"Hello, {name}"


@server.tool()
async def invite(ctx: Context) -> str | InputRequiredResult:
    """Greet the user and a friend, by the names they give when asked one after the other."""
    if ctx.input_responses is None:
        return asking("What is your name?", "0")
    name = ctx.input_responses["name"].content["name"]
    if ctx.request_state == "0":
        return asking(f"And whom do you bring, {name}?", f"1{name}")
    ran("invite", name=ctx.request_state[1:], friend=name)
    return f"Hello, {ctx.request_state[1:]} and {name}"


if __name__ == "__main__":
    serve(server.http_app()) if options.http else server.run("stdio", show_banner=False)
