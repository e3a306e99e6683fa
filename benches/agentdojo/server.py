"""An AgentDojo suite as an MCP server over stdio: its tools, their schemas, and an environment that the bench sets and reads by the side.

The side channel is a Unix socket that the bench alone knows; no tool reaches it.
"""

import asyncio
import copy
import sys
import threading
from multiprocessing.connection import Listener

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionsRuntime
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool

from suites import suite


class World:
    def __init__(self, name: str) -> None:
        self.suite = suite(name)
        self.runtime = FunctionsRuntime(self.suite.tools)
        self.environment = self.suite.load_and_inject_default_environment({})

    async def list(self, _context, _params) -> ListToolsResult:
        tools = [Tool(name=tool.name, description=tool.description, input_schema=tool.parameters.model_json_schema()) for tool in self.suite.tools]
        return ListToolsResult(tools=tools, ttl_ms=0, cache_scope="private")

    async def call(self, _context, params) -> CallToolResult:
        result, error = self.runtime.run_function(self.environment, params.name, params.arguments or {})
        text = error if error else tool_result_to_str(result)
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=error is not None)

    def aside(self, listener: Listener) -> None:
        """Takes an environment, or gives the present one away."""
        while True:
            with listener.accept() as bench:
                given = bench.recv()
                if given is None:
                    bench.send(copy.deepcopy(self.environment))
                else:
                    self.environment = given
                    bench.send(None)


async def main(name: str, socket: str) -> None:
    world = World(name)
    threading.Thread(target=world.aside, args=[Listener(socket, family="AF_UNIX")], daemon=True).start()
    server = Server(f"agentdojo-{name}", version="1.0.0", on_list_tools=world.list, on_call_tool=world.call)
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
