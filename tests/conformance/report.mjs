// Makes the suite's results comparable: no times, no addresses, sorted. Used by scripts/conformance.
//
//   report.mjs write LEG SET RAW_DIR REPORT   one line on stdout; status 1 when a check failed, 2 when one is missing
//   report.mjs compare DIR_A DIR_B            status 1 when they differ, 2 when there is nothing to compare
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const suite = join(dirname(fileURLToPath(import.meta.url)), "../../.test-env/conformance");
// Not the suite's own node_modules: this file lives elsewhere, where `import` would look.
const require = createRequire(join(suite, "package.json"));
const { parse } = require("yaml");

// Out of scope for the clients here: attest has no part in OAuth.
const isOutOfScope = (scenario) => scenario.startsWith("auth/");
const byText = (a, b) => (a < b ? -1 : Number(a > b));

function fail(message) {
  console.error(`conformance: ${message}`);
  process.exit(2);
}

/** The scenarios that the set names for this leg: a map from name to whether it is scored. */
function required(leg, set) {
  const file = join(suite, "node_modules/@modelcontextprotocol/conformance/requirements", `${set}.yaml`);
  const requirements = parse(readFileSync(file, "utf8"));
  const others = requirements.not_scored.filter((entry) => entry.leg === leg).map((entry) => [entry.scenario, false]);
  return new Map([...requirements[leg].map((name) => [name, true]), ...others]);
}

/** What the suite wrote, by scenario. Its folders are called [server-]SCENARIO-TIME, and SCENARIO may hold a slash. */
function results(leg, raw) {
  if (!existsSync(raw)) return new Map();
  const files = readdirSync(raw, { recursive: true }).filter((name) => /(^|\/)checks\.json$/.test(name));
  const scenario = (file) => {
    const name = relative(".", dirname(file)).replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, "");
    return leg === "server" ? name.replace(/^server-/, "") : name;
  };
  return new Map(files.map((file) => [scenario(file), JSON.parse(readFileSync(join(raw, file), "utf8"))]));
}

/** One line for each check, status and number of times. The number is left out for what is no verdict but a log of the wire. */
function lines(scenario, scored, checks) {
  const seen = new Map();
  for (const { id, name, status } of checks) {
    const key = JSON.stringify({ check: id, name, scenario, scored, status });
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  return [...seen].map(([key, times]) => {
    const line = JSON.parse(key);
    return JSON.stringify(line.status === "INFO" ? line : { ...line, times });
  });
}

function write(leg, set, raw, report) {
  const scenarios = required(leg, set);
  const found = results(leg, raw);
  const inScope = [...scenarios].filter(([name]) => !isOutOfScope(name));
  const missing = inScope.filter(([name]) => !found.has(name)).map(([name]) => name);
  const rows = inScope.flatMap(([name, scored]) =>
    found.has(name)
      ? lines(name, scored, found.get(name))
      : [JSON.stringify({ check: null, name: null, scenario: name, scored, status: "MISSING", times: 1 })],
  );
  writeFileSync(report, rows.sort(byText).map((row) => `${row}\n`).join(""));

  const checks = inScope.flatMap(([name]) => (found.get(name) ?? []).map((check) => ({ ...check, scenario: name })));
  const count = (status) => checks.filter((check) => check.status === status).length;
  const failed = checks.filter((check) => check.status === "FAILURE");
  const left = scenarios.size - inScope.length;
  const notes = [
    `${count("SUCCESS")} passed, ${failed.length} failed, ${count("WARNING")} warnings, ${count("SKIPPED")} skipped`,
    `${inScope.length - missing.length} of ${inScope.length} scenarios`,
    ...(left > 0 ? [`${left} auth scenarios not counted`] : []),
  ];
  console.log(`${leg} ${set}: ${notes.join("; ")}`);
  for (const { scenario, id, errorMessage } of failed) console.error(`  failed: ${scenario}: ${id}: ${errorMessage ?? ""}`);
  for (const scenario of missing) console.error(`  no result: ${scenario}`);
  return missing.length > 0 ? 2 : Number(failed.length > 0);
}

/** All reports of a folder as a map from "set scenario check (name)" to the statuses it had. */
function load(folder) {
  const reports = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".jsonl")).sort(byText) : [];
  if (reports.length === 0) fail(`there is no report in ${folder}; make one with scripts/conformance --out ${folder} …`);
  const all = new Map();
  for (const report of reports) {
    const rows = readFileSync(join(folder, report), "utf8").split("\n").filter(Boolean).map((row) => JSON.parse(row));
    if (rows.length === 0) fail(`${join(folder, report)} is empty; make it again`);
    for (const { scenario, check, name, status, times } of rows) {
      const key = `${report.replace(/\.jsonl$/, "")} ${scenario}: ${check} (${name})`;
      const verdict = times === undefined ? status : `${status}×${times}`;
      all.set(key, [...(all.get(key) ?? []), verdict].sort(byText));
    }
  }
  return all;
}

function compare(folderA, folderB) {
  const [a, b] = [load(folderA), load(folderB)];
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort(byText);
  const shown = (verdicts) => verdicts?.join(", ") ?? "not there";
  const different = keys.filter((key) => shown(a.get(key)) !== shown(b.get(key)));
  for (const key of different) console.log(`${key}: ${shown(a.get(key))} | ${shown(b.get(key))}`);
  console.error(`${keys.length} checks compared, ${different.length} differ`);
  return Number(different.length > 0);
}

const [verb, ...words] = process.argv.slice(2);
if (verb === "write" && words.length === 4) process.exitCode = write(...words);
else if (verb === "compare" && words.length === 2) process.exitCode = compare(...words);
else fail("report.mjs is used by scripts/conformance");
