// A server on the TypeScript SDK v1 and express, stateless, put together as the SDK's own example does it. One tool, `count`,
// which appends what it is given to the file after --runs. Prints its URL on standard output once it listens.
// Usage: node server.mjs NODE_FOLDER --runs FILE, where NODE_FOLDER has node_modules.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, flag, runs] = process.argv.slice(2);
if (flag !== '--runs' || !runs) throw new Error('usage: server.mjs NODE_FOLDER --runs FILE');
const require = createRequire(join(folder, 'node_modules/'));
const load = async (name) => {
  const path = require.resolve(name).replace('/dist/cjs/', '/dist/esm/');
  return import(pathToFileURL(path).href);
};
const { McpServer } = await load('@modelcontextprotocol/sdk/server/mcp.js');
const { createMcpExpressApp } = await load('@modelcontextprotocol/sdk/server/express.js');
const { StreamableHTTPServerTransport } = await load('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { z } = await load('zod');

function counter() {
  const server = new McpServer({ name: 'attest-count', version: '1.0.0' });
  server.registerTool('count', { description: 'Count a run.', inputSchema: { who: z.string() } }, async ({ who }) => {
    appendFileSync(runs, `${JSON.stringify(who)}\n`);
    return { content: [{ type: 'text', text: 'counted' }] };
  });
  return server;
}

const app = createMcpExpressApp();
app.post('/mcp', async (request, response) => {
  const server = counter();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  response.on('close', () => {
    transport.close();
    server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
app.all('/mcp', (_request, response) => response.status(405).end());
const listener = app.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${listener.address().port}/mcp`);
});
