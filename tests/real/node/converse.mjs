// Talks to an MCP server over stdio with the TypeScript SDK v1 client (2025-11-25); see ../README.md.
import { createWriteStream, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(dirname(fileURLToPath(import.meta.url)));
// The packages live in .test-env and not beside this file, where `import` would look.
const require = createRequire(join(here, "../../.test-env/node/package.json"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { CreateMessageRequestSchema, ElicitRequestSchema, McpError } = require("@modelcontextprotocol/sdk/types.js");

const OURS = "io.github.agent-attest/"; // `_meta` keys that attest adds; everything else must pass unchanged
const scenarios = JSON.parse(readFileSync(join(here, "scenarios.json"), "utf8"));

function usage(message) {
  console.error(`converse.mjs: ${message}`);
  process.exit(2);
}

function parseOptions(words) {
  const options = { times: 1, env: {} };
  const takes = { scenario: 1, workdir: 1, times: 1, out: 1, env: 1, call: 2, "expect-refusal": 2 };
  while (words.length > 0) {
    const name = words.shift().replace(/^--/, "");
    const values = words.splice(0, takes[name] ?? usage(`unknown option ${name}`));
    if (values.length < takes[name]) usage(`--${name} takes ${takes[name]} value(s)`);
    if (name === "env") {
      const at = values[0].indexOf("=");
      options.env[values[0].slice(0, at)] = values[0].slice(at + 1);
    } else options[name] = takes[name] === 2 ? values : values[0];
  }
  if (["scenario", "call", "expect-refusal"].filter((name) => name in options).length !== 1)
    usage("give one of --scenario, --call and --expect-refusal");
  if (options.scenario && !scenarios[options.scenario]) usage(`no scenario ${options.scenario}`);
  return options;
}

/** Applies `onString` to every string and `onObject` to every object of a JSON value. */
function walk(value, onString, onObject = (entries) => entries) {
  if (typeof value === "string") return onString(value);
  if (Array.isArray(value)) return value.map((item) => walk(item, onString, onObject));
  if (value === null || typeof value !== "object") return value;
  const walked = ([key, item]) => [key, walk(item, onString, onObject)];
  return Object.fromEntries(onObject(Object.entries(value)).map(walked));
}

const fill = (value, workdir) => walk(value, (text) => text.replaceAll("{workdir}", workdir));

/** Replaces what may differ between two runs of one scenario, and sorts keys. */
function normaliser(workdir, masks = []) {
  const paths = workdir ? [...new Set([workdir, realpathSync(workdir)])].sort((a, b) => b.length - a.length) : [];
  const onString = (text) => {
    for (const path of paths) text = text.replaceAll(path, "<workdir>");
    for (const [pattern, replacement] of masks) text = text.replace(new RegExp(pattern, "g"), replacement);
    return text;
  };
  const withoutOurs = ([key, item]) => {
    if (key !== "_meta" || item === null || typeof item !== "object") return [[key, item]];
    const kept = Object.entries(item).filter(([name]) => !name.startsWith(OURS));
    return kept.length > 0 ? [[key, Object.fromEntries(kept)]] : [];
  };
  const onObject = (entries) => entries.flatMap(withoutOurs).sort(([a], [b]) => (a < b ? -1 : 1));
  // Through JSON first: drops undefined members, which are not on the wire.
  return (value) => walk(JSON.parse(JSON.stringify(value)), onString, onObject);
}

function kind(outcome) {
  if ("result" in outcome) return outcome.result.isError ? "tool-error" : "result";
  return ["error", "cancelled", "client-error"].find((name) => name in outcome);
}

class Conversation {
  asked = [];
  notified = [];
  onProgress = () => {};

  constructor(command, args, env) {
    this.transport = new StdioClientTransport({ command, args, env });
    // Noted as they come off the wire: the SDK hands progress to its callback later than the response that follows
    // in the same read, and then drops it.
    this.transport.onmessage = (message) => {
      if (message.method === "notifications/progress") this.onProgress(message.params);
      else if (message.method && !("id" in message)) {
        const { method, params } = message;
        this.notified.push({ method, params });
      } else if (message.result?.protocolVersion) this.initialized ??= message.result;
    };
    this.client = new Client(
      { name: "attest-converse-node", version: "1.0.0" },
      { capabilities: { sampling: {}, elicitation: { form: {} } } },
    );
    const answer = (schema, result) =>
      this.client.setRequestHandler(schema, ({ method, params }) => {
        this.asked.push({ method, params });
        return result;
      });
    answer(CreateMessageRequestSchema, {
      role: "assistant",
      content: { type: "text", text: "sampled" },
      model: "none",
      stopReason: "endTurn",
    });
    answer(ElicitRequestSchema, { action: "accept", content: { name: "Ada" } });
  }

  async connect() {
    await this.client.connect(this.transport);
    return { protocol: this.initialized.protocolVersion, result: this.initialized };
  }

  /** One step's outcome: result, error, cancelled or client-error, and what came in meanwhile. */
  async perform(step) {
    this.asked = [];
    const outcome = {};
    try {
      if (step.do === "cancel") Object.assign(outcome, await this.callAndCancel(step));
      else outcome.result = await this.request(step, outcome);
    } catch (error) {
      // The SDK puts the code before the message the server sent.
      const { code, data, message } = error;
      if (error instanceof McpError) {
        outcome.error = { code, message: message.replace(`MCP error ${code}: `, ""), data };
      } else outcome["client-error"] = `${error.name}: ${message}`;
    }
    if (this.asked.length > 0) outcome.asked = this.asked;
    return outcome;
  }

  request(step, outcome) {
    const call = (options) => this.client.callTool({ name: step.tool, arguments: step.args }, undefined, options);
    switch (step.do) {
      case "call": return call();
      case "progress":
        outcome.progress = [];
        this.onProgress = ({ progressToken, ...seen }) => outcome.progress.push(seen);
        return call({ onprogress: () => {} }).finally(() => { this.onProgress = () => {}; });
      case "list-tools": return this.client.listTools();
      case "list-resources": return this.client.listResources();
      case "list-templates": return this.client.listResourceTemplates();
      case "read-resource": return this.client.readResource({ uri: step.uri });
      case "list-prompts": return this.client.listPrompts();
      case "get-prompt": return this.client.getPrompt({ name: step.name, arguments: step.args });
      default: return usage(`scenarios.json asks for ${step.do}, which is not a kind of step`);
    }
  }

  /** Cancels at the first progress report, which shows that the server is at work. */
  async callAndCancel(step) {
    const abort = new AbortController();
    const options = { signal: abort.signal, onprogress: () => abort.abort("cancelled by the client") };
    try {
      return { result: await this.client.callTool({ name: step.tool, arguments: step.args }, undefined, options) };
    } catch (error) {
      if (abort.signal.aborted) return { cancelled: true };
      throw error;
    }
  }
}

function refusal(outcome) {
  if (kind(outcome) === "error") return { kind: "error", ...outcome.error };
  if (kind(outcome) === "tool-error")
    return { kind: "tool-error", text: outcome.result.content.map((item) => item.text ?? "").join("\n") };
  return { kind: kind(outcome), ...outcome };
}

/** Runs what was asked; true when every outcome was of the expected kind. */
async function converse(options, command, emit) {
  const workdir = options.workdir && resolve(options.workdir);
  const scenario = scenarios[options.scenario];
  const normalise = normaliser(workdir, scenario?.mask);
  const print = (value) => emit(`${JSON.stringify(normalise(value))}\n`);
  const [program, ...args] = fill(command, workdir);
  const conversation = new Conversation(program, args, options.env);
  const connected = await conversation.connect();
  let good = true;
  try {
    const tool = options.call ?? options["expect-refusal"];
    if (tool) {
      const step = { do: "call", tool: tool[0], args: fill(JSON.parse(tool[1]), workdir) };
      for (let time = 0; time < Number(options.times); time += 1) {
        const outcome = await conversation.perform(step);
        print(options.call ? outcome : refusal(outcome));
        good &&= ["error", "tool-error"].includes(kind(outcome)) === !options.call;
      }
      return good;
    }
    print({ step: "connect", outcome: connected });
    for (const step of scenario.steps) {
      const outcome = await conversation.perform(fill(step, workdir));
      print({ step: step.step, outcome });
      const expected = step.expect ?? "result";
      if (kind(outcome) !== expected || outcome.progress?.length === 0) {
        good = false;
        console.error(`converse.mjs: step ${step.step}: expected ${expected}, got ${kind(outcome)}`);
      }
    }
    print({ step: "notifications", outcome: conversation.notified });
    return good;
  } finally {
    await conversation.client.close();
  }
}

const words = process.argv.slice(2);
const split = words.includes("--") ? words.indexOf("--") : words.length;
const command = words.slice(split + 1);
if (command.length === 0) usage("give the server's command after --");
const options = parseOptions(words.slice(0, split));
const out = options.out ? createWriteStream(options.out) : process.stdout;
try {
  process.exitCode = (await converse(options, command, (line) => out.write(line))) ? 0 : 1;
} catch (error) {
  console.error(`converse.mjs: cannot talk to ${command[0]}: ${error.message}`);
  process.exitCode = 2;
}
