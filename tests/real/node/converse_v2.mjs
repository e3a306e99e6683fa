// Talks to an MCP server with the TypeScript SDK v2 client, over stdio or Streamable HTTP; see ../README.md.
import { require } from "./packages.mjs";
import { CAPABILITIES, ELICITED, SAMPLED, SdkConversation } from "./sdk.mjs";
import { main } from "./transcript.mjs";

const { Client, ProtocolError, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

class Conversation extends SdkConversation {
  static client = "node-v2";
  ProtocolError = ProtocolError;

  constructor(command, options) {
    super(command, options, { StdioClientTransport, StreamableHTTPClientTransport });
    const versionNegotiation = { mode: options.era };
    const about = { name: "attest-converse-node-v2", version: "1.0.0" };
    this.client = new Client(about, { capabilities: CAPABILITIES, versionNegotiation });
    this.client.setRequestHandler("sampling/createMessage", this.answer(SAMPLED));
    this.client.setRequestHandler("elicitation/create", this.answer(ELICITED));
  }

  async connect() {
    await this.client.connect(this.transport);
    const result = this.client.getDiscoverResult() ?? this.initialized;
    return { protocol: this.client.getNegotiatedProtocolVersion(), result };
  }

  call(step, options) {
    return this.client.callTool({ name: step.tool, arguments: step.args }, options);
  }

  /** Makes the rounds of a call by hand: whatever is asked is answered alike, and the state handed back. */
  async rounds(step, outcome) {
    outcome.rounds = [];
    const params = { name: step.tool, arguments: step.args };
    for (;;) {
      const result = await this.client.callTool(params, { timeout: this.timeout, allowInputRequired: true });
      if (result.resultType !== "input_required") return result;
      // The state is sealed, and so never the same twice.
      outcome.rounds.push({ ...result, requestState: result.requestState && "<state>" });
      const answer = { action: "accept", content: { name: `Ada ${outcome.rounds.length}` } };
      params.inputResponses = Object.fromEntries(Object.keys(result.inputRequests ?? {}).map((name) => [name, answer]));
      params.requestState = result.requestState;
    }
  }
}

await main(Conversation);
