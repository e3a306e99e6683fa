// What the clients on the two TypeScript SDKs share: both have nearly the same methods.
import { usage } from "./transcript.mjs";

export const SAMPLED = {
  role: "assistant",
  content: { type: "text", text: "sampled" },
  model: "none",
  stopReason: "endTurn",
};
export const ELICITED = { action: "accept", content: { name: "Ada" } };
export const CAPABILITIES = { sampling: {}, elicitation: { form: {} } };

/** A subclass sets `client` and `ProtocolError`, and makes the calls, whose signatures differ. */
export class SdkConversation {
  asked = [];
  notified = [];
  onProgress = () => {};

  constructor(command, options, { StdioClientTransport, StreamableHTTPClientTransport }) {
    const [program, ...args] = command;
    this.timeout = Number(options.timeout) * 1000;
    this.transport = options.url
      ? new StreamableHTTPClientTransport(new URL(options.url), { requestInit: { headers: options.header } })
      : new StdioClientTransport({ command: program, args, env: options.env });
    // Noted as they come off the wire: the SDK hands progress to its callback later than the response that follows
    // in the same read, and then drops it.
    this.transport.onmessage = (message) => {
      if (message.method === "notifications/progress") this.onProgress(message.params);
      else if (message.method && !("id" in message)) {
        const { method, params } = message;
        this.notified.push({ method, params });
      } else if (message.result?.protocolVersion) this.initialized ??= message.result;
    };
  }

  answer(result) {
    return ({ method, params }) => {
      this.asked.push({ method, params });
      return result;
    };
  }

  close() {
    return this.client.close();
  }

  /** One step's outcome: result, error, cancelled or client-error, and what came in meanwhile. */
  async perform(step) {
    this.asked = [];
    const outcome = {};
    try {
      if (step.do === "cancel") Object.assign(outcome, await this.callAndCancel(step));
      else outcome.result = await this.request(step, outcome);
    } catch (error) {
      // SDK v1 puts the code before the message the server sent.
      const { code, data, message } = error;
      if (error instanceof this.ProtocolError) {
        outcome.error = { code, message: message.replace(`MCP error ${code}: `, ""), data };
      } else outcome["client-error"] = `${error.name}: ${message}`;
    }
    if (this.asked.length > 0) outcome.asked = this.asked;
    return outcome;
  }

  request(step, outcome) {
    const options = { timeout: this.timeout };
    switch (step.do) {
      case "call": return this.call(step, options);
      case "progress":
        outcome.progress = [];
        this.onProgress = ({ progressToken, ...seen }) => outcome.progress.push(seen);
        return this.call(step, { ...options, onprogress: () => {} }).finally(() => { this.onProgress = () => {}; });
      case "rounds": return this.rounds(step, outcome);
      case "task": return this.task(step, outcome);
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
      return { result: await this.call(step, options) };
    } catch (error) {
      if (abort.signal.aborted) return { cancelled: true };
      throw error;
    }
  }
}
