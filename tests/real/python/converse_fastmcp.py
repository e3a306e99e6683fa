"""Talks to an MCP server with FastMCP's client, over stdio or Streamable HTTP; see ../README.md."""

from contextlib import AsyncExitStack

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from mcp_types import Implementation

import converse
import transcript
from transcript import plain


class Conversation(converse.Conversation):
    """FastMCP's client stands on the Python SDK 2.x: its sessions, errors and notifications are the same."""

    name = "fastmcp"

    async def open(self, stack: AsyncExitStack) -> dict:
        options = self.options
        if options.url:
            server = StreamableHttpTransport(options.url, headers=dict(options.header))
        else:
            program, *args = options.command
            server = StdioTransport(program, args, env=dict(options.env), keep_alive=False)
        self.client = Client(
            server,
            mode=options.era,
            cache=False,  # every step must reach the server
            timeout=options.timeout,
            client_info=Implementation(name="attest-converse-fastmcp", version="1.0.0"),
            sampling_handler=self.on_sampling,
            elicitation_handler=self.on_elicitation,
            message_handler=self.on_message,
        )
        await stack.enter_async_context(self.client)
        answer = self.client.session.initialize_result or self.client.session.discover_result
        return {"protocol": self.client.protocol_version, "result": plain(answer)}

    async def on_sampling(self, _messages, params, context):
        return await super().on_sampling(context, params)

    async def on_elicitation(self, _message, _type, params, context):
        return await super().on_elicitation(context, params)

    async def request(self, step: dict):
        client = self.client
        match step["do"]:
            case "call":
                return await client.call_tool_mcp(step["tool"], step["args"])
            case "list-tools":
                return await client.list_tools_mcp()
            case "list-resources":
                return await client.list_resources_mcp()
            case "list-templates":
                return await client.list_resource_templates_mcp()
            case "read-resource":
                return await client.read_resource_mcp(step["uri"])
            case "list-prompts":
                return await client.list_prompts_mcp()
            case "get-prompt":
                return await client.get_prompt_mcp(step["name"], step.get("args"))
        raise SystemExit(f"converse_fastmcp.py: scenarios.json asks for {step['do']!r}, which is not a kind of step")

    async def call_reporting(self, step: dict, report):
        self.report = report
        return await self.client.call_tool_mcp(step["tool"], step["args"], progress_handler=self.on_progress)


if __name__ == "__main__":
    transcript.main(Conversation)
