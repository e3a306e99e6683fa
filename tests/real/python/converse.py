"""Talks to an MCP server with the Python SDK 2.x client, over stdio or Streamable HTTP; see ../README.md."""

from contextlib import AsyncExitStack

import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    Implementation,
    InputRequiredResult,
    ServerNotification,
    TextContent,
)

import transcript
from transcript import plain


class Conversation(transcript.Conversation):
    name = "python"
    protocol_errors = (MCPError,)

    async def open(self, stack: AsyncExitStack) -> dict:
        options = self.options
        if options.url:
            timeout = httpx2.Timeout(30, read=300)
            http = httpx2.AsyncClient(headers=options.header, timeout=timeout)
            server = streamable_http_client(options.url, http_client=await stack.enter_async_context(http))
        else:
            program, *args = options.command
            server = StdioServerParameters(command=program, args=args, env=dict(options.env))
        self.client = Client(
            server,
            mode=options.era,
            cache=None,  # every step must reach the server
            read_timeout_seconds=options.timeout,
            client_info=Implementation(name="attest-converse-python", version="1.0.0"),
            sampling_callback=self.on_sampling,
            elicitation_callback=self.on_elicitation,
            message_handler=self.on_message,
        )
        await stack.enter_async_context(self.client)
        answer = self.client.session.initialize_result or self.client.session.discover_result
        return {"protocol": self.client.protocol_version, "result": plain(answer)}

    async def on_sampling(self, _context, params):
        self.asked.append({"method": "sampling/createMessage", "params": plain(params)})
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text="sampled"), model="none", stop_reason="endTurn"
        )

    async def on_elicitation(self, _context, params):
        self.asked.append({"method": "elicitation/create", "params": plain(params)})
        return ElicitResult(action="accept", content={"name": "Ada"})

    async def on_message(self, message) -> None:
        if isinstance(message, ServerNotification):
            self.note(message)

    async def request(self, step: dict):
        client = self.client
        match step["do"]:
            case "call":
                return await client.call_tool(step["tool"], step["args"])
            case "list-tools":
                return await client.list_tools()
            case "list-resources":
                return await client.list_resources()
            case "list-templates":
                return await client.list_resource_templates()
            case "read-resource":
                return await client.read_resource(step["uri"])
            case "list-prompts":
                return await client.list_prompts()
            case "get-prompt":
                return await client.get_prompt(step["name"], step.get("args"))
        raise SystemExit(f"converse.py: scenarios.json asks for {step['do']!r}, which is not a kind of step")

    async def call_reporting(self, step: dict, report):
        self.report = report
        return await self.client.call_tool(step["tool"], step["args"], progress_callback=self.on_progress)

    async def rounds(self, step: dict, seen: list[dict]):
        """Makes the rounds of a call by hand: whatever is asked is answered alike, and the state handed back."""
        answers = state = None
        while True:
            result = await self.client.session.call_tool(
                step["tool"], step["args"], input_responses=answers, request_state=state, allow_input_required=True
            )
            if not isinstance(result, InputRequiredResult):
                return result
            # The state is sealed, and so never the same twice.
            seen.append(plain(result) | {"requestState": "<state>" if result.request_state else None})
            answers = {
                name: ElicitResult(action="accept", content={"name": f"Ada {len(seen)}"})
                for name in result.input_requests or {}
            }
            state = result.request_state


if __name__ == "__main__":
    transcript.main(Conversation)
