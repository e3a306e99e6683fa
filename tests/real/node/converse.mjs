// Talks to an MCP server with the TypeScript SDK v1 client (2025-11-25), over stdio or Streamable HTTP; see ../README.md.
import { require } from "./packages.mjs";
import { CAPABILITIES, ELICITED, SAMPLED, SdkConversation } from "./sdk.mjs";
import { main } from "./transcript.mjs";

const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { CreateMessageRequestSchema, ElicitRequestSchema, McpError } = require("@modelcontextprotocol/sdk/types.js");

class Conversation extends SdkConversation {
  static client = "node";
  ProtocolError = McpError;

  constructor(command, options) {
    super(command, options, { StdioClientTransport, StreamableHTTPClientTransport });
    this.client = new Client({ name: "attest-converse-node", version: "1.0.0" }, { capabilities: CAPABILITIES });
    this.client.setRequestHandler(CreateMessageRequestSchema, this.answer(SAMPLED));
    this.client.setRequestHandler(ElicitRequestSchema, this.answer(ELICITED));
  }

  async connect() {
    await this.client.connect(this.transport);
    return { protocol: this.initialized.protocolVersion, result: this.initialized };
  }

  call(step, options) {
    return this.client.callTool({ name: step.tool, arguments: step.args }, undefined, options);
  }

  /** Makes the call as a task and waits for its result. How often it looks is a matter of time, so only kinds are kept. */
  async task(step, outcome) {
    const seen = new Set();
    const stream = this.client.experimental.tasks.callToolStream({ name: step.tool, arguments: step.args });
    for await (const message of stream) {
      if (message.type === "error") throw message.error;
      if (message.type === "taskCreated") outcome.created = Object.keys(message.task).sort();
      if (message.type === "taskStatus") outcome.status = message.task.status;
      if (message.type === "result") return message.result;
      seen.add(message.type);
    }
    throw new Error(`the task ended without a result, after ${[...seen].join(", ")}`);
  }
}

await main(Conversation);
