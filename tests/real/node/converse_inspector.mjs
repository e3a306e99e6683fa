// Talks to an MCP server with the command line of MCP Inspector, over stdio or Streamable HTTP; see ../README.md.
//
// It makes one request per process and connects anew for each, so its conversation is short: the list of tools and the
// first calls of the scenario.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { packages } from "./packages.mjs";
import { kind, main } from "./transcript.mjs";

const CALLS = 2; // in a scenario: enough to see two tools, at some two seconds each
const INSPECTOR = join(packages, "node_modules/@modelcontextprotocol/inspector/clients/cli/build/index.js");

class Conversation {
  static client = "inspector";
  notified = [];

  constructor(command, options) {
    const target = options.url
      ? ["--transport", "http", "--server-url", options.url]
      : Object.entries(options.env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    for (const [name, value] of Object.entries(options.header)) target.push("--header", `${name}: ${value}`);
    this.target = [...target, "--protocol-era", options.era, "--format", "json"];
    this.server = options.url ? [] : ["--", ...command];
    this.timeout = Number(options.timeout) * 1000;
  }

  stepsOf(steps) {
    const calls = steps.filter((step) => step.do === "call").slice(0, CALLS);
    return steps.filter((step) => step.do === "list-tools" || calls.includes(step));
  }

  // Nothing to open or to close: each request does both.
  connect() {
    return { protocol: "not shown" };
  }

  close() {}

  /** One step's outcome: result, error or client-error. */
  async perform(step) {
    const what = step.do === "list-tools"
      ? ["--method", "tools/list"]
      : ["--method", "tools/call", "--tool-name", step.tool, "--tool-args-json", JSON.stringify(step.args)];
    const words = [INSPECTOR, ...this.target, ...what, ...this.server];
    const { status, stdout, stderr } = await run(process.execPath, words, this.timeout);
    const outcome = {};
    if (stdout.trim() !== "") outcome.result = JSON.parse(stdout).result;
    else outcome["client-error"] = `status ${status}: ${stderr.trim().split("\n").at(-1)}`;
    // What it says of a failure, beside what the server's own process writes to the same stream.
    if (status !== 0 && kind(outcome) === "result") outcome["client-error"] = stderr.trim();
    return outcome;
  }
}

function run(program, words, timeout) {
  return new Promise((resolve) => {
    execFile(program, words, { timeout, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ status: error?.code ?? 0, stdout, stderr });
    });
  });
}

await main(Conversation);
