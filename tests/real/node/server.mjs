// The server of ../python/fixture.py on the TypeScript SDK v1 (2025-11-25), over stdio or, with --http, Streamable HTTP.
// --runs FILE gets a line for each run of a tool.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { require } from "./packages.mjs";

const { McpServer } = require("@modelcontextprotocol/sdk/server/mcp.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { StreamableHTTPServerTransport } = require("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { z } = require("zod");

const { values: options } = parseArgs({ options: { http: { type: "boolean" }, runs: { type: "string" } } });
const counts = new EventTarget();
let countWasCancelled = false;

/** Before anything else happens: a call that was let through by mistake shows, whatever comes of it. */
function ran(tool, args = {}) {
  if (options.runs) appendFileSync(options.runs, `${JSON.stringify({ tool, arguments: args })}\n`);
}

const text = (words) => ({ content: [{ type: "text", text: words }] });

function furnished() {
  const mcp = new McpServer({ name: "attest-node", version: "1.0.0" });
  const tool = (name, description, inputSchema, run) =>
    mcp.registerTool(name, { description, inputSchema }, (args, extra) => {
      ran(name, args);
      return run(args, extra);
    });

  tool("add", "Add two numbers.", { a: z.number().int(), b: z.number().int() }, ({ a, b }) => text(String(a + b)));
  tool("fail", "Always fail, in a way the model can read.", {}, () => {
    throw new Error("this tool always fails");
  });
  tool("count", "Count up, reporting each step.", { steps: z.number().int() }, async ({ steps }, extra) => {
    for (let done = 1; done <= steps; done += 1) {
      await sleep(20);
      if (extra.signal.aborted) {
        countWasCancelled = true;
        counts.dispatchEvent(new Event("cancelled"));
        break;
      }
      const progressToken = extra._meta?.progressToken;
      if (progressToken !== undefined) {
        const params = { progressToken, progress: done, total: steps, message: `step ${done}` };
        await extra.sendNotification({ method: "notifications/progress", params });
      }
    }
    return text(`counted to ${steps}`);
  });
  tool("wait_for_cancelled_count", "Return once a count was cancelled.", {}, async () => {
    if (!countWasCancelled) await once(counts, "cancelled", { signal: AbortSignal.timeout(10_000) });
    return text("a count was cancelled");
  });
  tool("greet", "Greet the user by the name they give when asked.", {}, async (_args, extra) => {
    const requestedSchema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    const params = { mode: "form", message: "What is your name?", requestedSchema };
    const answer = await mcp.server.elicitInput(params, { relatedRequestId: extra.requestId });
    return text(`Hello, ${answer.content.name}`);
  });
  mcp.registerResource("note", "note://one", { description: "A note.", mimeType: "text/plain" }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: "text/plain", text: "naïve “note” ✓" }],
  }));
  mcp.registerPrompt("review", { description: "Ask for a review.", argsSchema: { subject: z.string() } }, (args) => ({
    messages: [{ role: "user", content: { type: "text", text: `Please review ${args.subject}.` } }],
  }));
  return mcp;
}

const sessions = new Map();

async function onRequest(request, response) {
  const name = request.headers["mcp-session-id"];
  let transport = sessions.get(name);
  if (name === undefined) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (made) => sessions.set(made, transport),
      onsessionclosed: (ended) => sessions.delete(ended),
    });
    await furnished().connect(transport);
  } else if (transport === undefined) {
    response.writeHead(404).end();
    return;
  }
  await transport.handleRequest(request, response);
}

if (options.http) {
  const server = createServer((request, response) => {
    onRequest(request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}/mcp`));
} else await furnished().connect(new StdioServerTransport());
