"""Talks to an MCP server with the Python SDK 1.x client (2025-11-25), over stdio or Streamable HTTP; see ../README.md."""

from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import anyio
import httpx
from mcp import ClientSession, McpError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import (
    CallToolResult,
    CancelledNotification,
    CancelledNotificationParams,
    ClientNotification,
    CreateMessageResult,
    ElicitResult,
    Implementation,
    ServerNotification,
    TextContent,
)

import transcript
from transcript import plain


@asynccontextmanager
async def over_stdio(server: StdioServerParameters):
    """This SDK falls over a message that is on its way when one closes, as from a server at work on a cancelled call."""
    is_closing = False
    try:
        async with stdio_client(server) as streams:
            yield streams
            is_closing = True
    except* anyio.BrokenResourceError:
        if not is_closing:
            raise


class Conversation(transcript.Conversation):
    name = "python-v1"
    protocol_errors = (McpError,)

    async def open(self, stack: AsyncExitStack) -> dict:
        options = self.options
        if options.url:
            http = httpx.AsyncClient(headers=options.header, timeout=httpx.Timeout(30, read=300))
            http = await stack.enter_async_context(http)
            streams = await stack.enter_async_context(streamable_http_client(options.url, http_client=http))
        else:
            program, *args = options.command
            server = StdioServerParameters(command=program, args=args, env=dict(options.env))
            streams = await stack.enter_async_context(over_stdio(server))
        self.session = ClientSession(
            streams[0],
            streams[1],
            read_timeout_seconds=timedelta(seconds=options.timeout),
            client_info=Implementation(name="attest-converse-python-v1", version="1.0.0"),
            sampling_callback=self.on_sampling,
            elicitation_callback=self.on_elicitation,
            message_handler=self.on_message,
        )
        await stack.enter_async_context(self.session)
        answer = await self.session.initialize()
        return {"protocol": answer.protocolVersion, "result": plain(answer)}

    async def on_sampling(self, _context, params):
        self.asked.append({"method": "sampling/createMessage", "params": plain(params)})
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text="sampled"), model="none", stopReason="endTurn"
        )

    async def on_elicitation(self, _context, params):
        self.asked.append({"method": "elicitation/create", "params": plain(params)})
        return ElicitResult(action="accept", content={"name": "Ada"})

    async def on_message(self, message) -> None:
        if isinstance(message, ServerNotification):
            self.note(message.root)

    async def request(self, step: dict):
        session = self.session
        match step["do"]:
            case "call":
                return await session.call_tool(step["tool"], step["args"])
            case "list-tools":
                return await session.list_tools()
            case "list-resources":
                return await session.list_resources()
            case "list-templates":
                return await session.list_resource_templates()
            case "read-resource":
                return await session.read_resource(step["uri"])
            case "list-prompts":
                return await session.list_prompts()
            case "get-prompt":
                return await session.get_prompt(step["name"], step.get("args"))
        raise SystemExit(f"converse_v1.py: scenarios.json asks for {step['do']!r}, which is not a kind of step")

    async def call_reporting(self, step: dict, report):
        self.report = report
        return await self.session.call_tool(step["tool"], step["args"], progress_callback=self.on_progress)

    async def call_and_cancel(self, step: dict) -> dict:
        """This SDK tells the server nothing when a caller gives up: one sends the notification oneself, with the number
        that the next request will have."""
        number = self.session._request_id
        outcome = await super().call_and_cancel(step)
        if "cancelled" in outcome:
            cancelled = CancelledNotification(params=CancelledNotificationParams(requestId=number))
            await self.session.send_notification(ClientNotification(cancelled))
        return outcome

    async def task(self, step: dict, outcome: dict):
        """Makes the call as a task and waits for its result, which the server holds back until the task is over."""
        created = plain(await self.session.experimental.call_tool_as_task(step["tool"], step["args"]))
        outcome["created"] = sorted(created["task"])  # its values are times and a random name
        name = created["task"]["taskId"]
        result = await self.session.experimental.get_task_result(name, CallToolResult)
        outcome["status"] = (await self.session.experimental.get_task(name)).status
        return result


if __name__ == "__main__":
    transcript.main(Conversation)
