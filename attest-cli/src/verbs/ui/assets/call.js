// One call, whole: what the logs say of it, what it came of and what it led to, the state of its caller, the chain it rests on.

import { ask, badge, digest, el, link, pre, stamp, time } from './dom.js';
import { graph } from './graph.js';
import { place, target } from './rows.js';

/** The server's decision where a log has it, else the caller's entry. */
export function head(traced) {
  const of = (kind) => traced.says.find((said) => said.row.kind === kind);
  return of('decision') ?? of('call') ?? traced.says[0];
}

const CHECKS = { holds: ['holds', 'signed by'], wrong: ['wrong', 'not signed by'], unknown: ['unknown key', 'signed, it says, by'] };

/** Whether a signature holds; whose. */
function signature({ check, key }) {
  const [word, text] = CHECKS[check] ?? CHECKS.wrong;
  return [badge(word), ` ${text} `, digest(key)];
}

/** The same in a line of text. */
export function title(traced, call) {
  const said = traced && head(traced);
  if (!said) return `${call.slice(0, 10)}…: no log at hand has it`;
  const { row } = said;
  return `${target(row) || row.kind}${row.agent ? ` by ${row.agent}` : ''}`;
}

export async function call(where, logs) {
  const name = where.get('call');
  const [trace, words] = await Promise.all([ask('trace', { call: name }), ask('chain', { call: name })]);
  const traced = trace.calls[trace.call];
  const said = head(traced);
  const row = said?.row ?? {};
  const heading = title(traced, trace.call);
  const nodes = [
    el('p', { class: 'back' }, el('a', { href: '#view=calls' }, 'All calls')),
    el('h1', {}, heading, ' ', row.verdict && badge(row.verdict), row.reason && [' ', badge(row.reason)]),
    facts(row, trace, traced),
    section('Where it came from and what it led to', graph(trace, words), trace.cut && el('p', { class: 'notice' }, 'There is more: a trace holds 256 calls.'), lists(trace)),
    section('What the logs say', says(traced, logs)),
    traced.state && section('State of the caller', state(traced.state)),
    traced.chain && section('On whose behalf: the chain', chain(traced.chain, words)),
  ];
  return { title: heading, nodes: nodes.filter(Boolean) };
}

const section = (title, ...nodes) => el('section', {}, el('h2', {}, title), nodes);

function facts(row, trace, { proof }) {
  const accord = proof && (proof.own_accord ? 'of its own accord' : 'on somebody’s behalf');
  const pairs = [
    ['Call', digest(trace.call, true)],
    ['Time (UTC)', row.time && stamp(row.time)],
    ['Agent', row.agent],
    ['Server', row.server],
    ['Says the log', row.words],
    ['Data its caller had seen', row.labels?.length ? row.labels.map((label) => el('span', { class: 'label' }, label)) : undefined],
    ['Call proof', proof && [`for ${proof.audience}, ${accord}: `, signature(proof.signature)]],
    ['On the command line', el('code', {}, `attest trace ${trace.call.slice(0, 12)} LOG…`)],
  ];
  return el('dl', { class: 'facts' }, pairs.filter(([, value]) => value).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

const th = (name) => el('th', { scope: 'col' }, name);
const wide = (table) => el('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': table.caption?.textContent }, table);

function says(traced, logs) {
  if (traced.says.length === 0) return el('p', {}, 'No log at hand has this call.');
  const lines = traced.says.map(({ log, origin, size, row }) => el('tr', {},
    el('td', {}, time(row.time)),
    el('td', {}, el('a', { href: link({ entry: `${log}.${row.index}` }) }, `${origin}#${row.index}`)),
    el('td', {}, logs[log]?.owner ? `agent ${logs[log].owner}` : `server ${origin}`),
    el('td', {}, row.kind), el('td', {}, row.verdict && badge(row.verdict)), el('td', {}, row.reason ? `${row.reason}: ` : '', row.words),
    el('td', {}, `tree of ${size}`)));
  return wide(el('table', {}, el('caption', { class: 'unseen' }, 'Entries about this call'),
    el('thead', {}, el('tr', {}, ['Time (UTC)', 'Entry', 'Whose word', 'Type', 'Verdict', 'What it says', 'Proved in'].map(th))), el('tbody', {}, lines)));
}

function state(state) {
  const lines = state.components.map(([component, value, grade]) =>
    el('tr', {}, el('th', { scope: 'row' }, component), el('td', {}, digest(value, true)), el('td', {}, grade)));
  return [
    el('p', {}, `${state.agent}, says ${state.issuer} at ${stamp(state.issued_at * 1000).slice(0, 19)}: `, signature(state.signature)),
    wide(el('table', {}, el('caption', { class: 'unseen' }, 'Measured components'), el('thead', {}, el('tr', {}, ['Component', 'Digest', 'How it was had'].map(th))), el('tbody', {}, lines))),
  ];
}

function chain(hops, words) {
  return el('ol', { class: 'chain' }, hops.map((hop, n) => el('li', {},
    el('p', {}, signature(hop.signature), `, until ${stamp(hop.expires * 1000).slice(0, 19)}`), pre((words[n] ?? hop.issuer).trimEnd()))));
}

/** The graph once more, as lists. */
function lists(trace) {
  const shown = new Set([trace.call]);
  function branch(of, end, other) {
    const edges = trace.edges.filter((edge) => edge[end] === of);
    if (edges.length === 0) return null;
    return el('ul', {}, edges.map((edge) => {
      const to = edge[other];
      const fresh = !shown.has(to);
      shown.add(to);
      const how = edge.how === 'cause' ? 'on behalf of' : 'with data of';
      const verdict = trace.calls[to] && head(trace.calls[to])?.row.verdict;
      return el('li', {}, other === 'from' ? `${how} ` : '', el('a', { href: link({ call: to }) }, title(trace.calls[to], to)),
        other === 'to' ? ` (${how} this)` : '', verdict && [' ', badge(verdict)], fresh && branch(to, end, other));
    }));
  }
  const came = branch(trace.call, 'to', 'from') ?? el('p', {}, 'Of no other call at hand.');
  const led = branch(trace.call, 'from', 'to') ?? el('p', {}, 'To no other call at hand.');
  return el('div', { class: 'two', id: 'as-lists' }, el('div', {}, el('h3', {}, 'It came of'), came), el('div', {}, el('h3', {}, 'It led to'), led));
}

export async function entry(where, logs) {
  const [log, index] = where.get('entry').split('.');
  const found = await ask('entry', { log, index });
  const { row, size, text } = found;
  let body = text;
  try {
    body = JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    // Bytes that are no JSON are shown as they are.
  }
  const name = `${logs[found.log]?.origin}#${row.index}`;
  const nodes = [
    el('p', { class: 'back' }, el('a', { href: '#view=calls' }, 'All calls'), row.call && [' · ', el('a', { href: place(found) }, 'Its call')]),
    el('h1', {}, `Entry ${name} `, row.verdict && badge(row.verdict)),
    el('p', {}, `${row.kind}: ${row.words}`),
    el('p', { class: 'notice' }, `Proved in the log’s tree of ${size} entries. `, el('code', {}, `attest log prove ${logs[found.log]?.file} ${row.index}`), ' makes that proof for others.'),
    pre(body),
  ];
  return { title: `Entry ${name}`, nodes };
}
