// What the Node clients share: options, the walk through a scenario, and the form of its transcript; see ../README.md.
import { createWriteStream, readFileSync, realpathSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { here } from "./packages.mjs";

const OURS = "io.github.agent-attest/"; // `_meta` keys that attest adds; everything else must pass unchanged
const scenarios = JSON.parse(readFileSync(join(here, "scenarios.json"), "utf8"));
const program = basename(process.argv[1]);

export function usage(message) {
  console.error(`${program}: ${message}`);
  process.exit(2);
}

function pair(text) {
  const at = text.indexOf("=");
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : usage(`${text} is not NAME=VALUE`);
}

function parseOptions(words) {
  const options = { times: 1, timeout: 60, era: "auto", env: {}, header: {} };
  const takes = {
    scenario: 1, workdir: 1, times: 1, timeout: 1, out: 1, env: 1, era: 1, url: 1, header: 1, call: 2, "expect-refusal": 2,
  };
  while (words.length > 0) {
    const name = words.shift().replace(/^--/, "");
    const values = words.splice(0, takes[name] ?? usage(`unknown option ${name}`));
    if (values.length < takes[name]) usage(`--${name} takes ${takes[name]} value(s)`);
    if (name === "env" || name === "header") {
      const [key, value] = pair(values[0]);
      options[name][key] = value;
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

export function kind(outcome) {
  if ("result" in outcome) return outcome.result.isError ? "tool-error" : "result";
  return ["error", "cancelled", "client-error"].find((name) => name in outcome);
}

function refusal(outcome) {
  if (kind(outcome) === "error") return { kind: "error", ...outcome.error };
  if (kind(outcome) === "tool-error") {
    const text = outcome.result.content.map((item) => item.text ?? "").join("\n");
    return { kind: "tool-error", text, data: outcome.result._meta?.[`${OURS}refusal`] };
  }
  return { kind: kind(outcome), ...outcome };
}

/** Runs what was asked; true when every outcome was of the expected kind. `Conversation` has `static client`, `connect()`,
 * `perform(step)`, `close()` and `notified`; `stepsOf(steps)` where it cannot make all of them. */
async function converse(Conversation, options, command, emit) {
  const workdir = options.workdir && resolve(options.workdir);
  const scenario = scenarios[options.scenario];
  const normalise = normaliser(workdir, scenario?.mask);
  const print = (value) => emit(`${JSON.stringify(normalise(value))}\n`);
  const conversation = new Conversation(fill(command, workdir), options);
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
    const all = scenario.steps ?? scenarios[scenario.like].steps;
    const mine = all.filter(({ clients }) => !clients || clients.includes(Conversation.client));
    for (const step of conversation.stepsOf?.(mine) ?? mine) {
      const outcome = await conversation.perform(fill(step, workdir));
      print({ step: step.step, outcome });
      const expected = step.expect ?? "result";
      if (!expected.split("|").includes(kind(outcome)) || outcome.progress?.length === 0) {
        good = false;
        console.error(`${program}: step ${step.step}: expected ${expected}, got ${kind(outcome)}`);
      }
    }
    print({ step: "notifications", outcome: conversation.notified });
    return good;
  } finally {
    await conversation.close();
  }
}

export async function main(Conversation) {
  const words = process.argv.slice(2);
  const split = words.includes("--") ? words.indexOf("--") : words.length;
  const command = words.slice(split + 1);
  const options = parseOptions(words.slice(0, split));
  if ((command.length > 0) === Boolean(options.url)) usage("give --url, or the server's command after --");
  const out = options.out ? createWriteStream(options.out) : process.stdout;
  try {
    process.exitCode = (await converse(Conversation, options, command, (line) => out.write(line))) ? 0 : 1;
  } catch (error) {
    console.error(`${program}: cannot talk to ${options.url ?? command[0]}: ${error.message}`);
    process.exitCode = 2;
  }
}
