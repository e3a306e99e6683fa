// One call's provenance as a picture: from the top, what came first. The lists below it say the same.

import { el, link, stamp, svg, visible } from './dom.js';
import { head, title } from './call.js';
import { target } from './rows.js';

const [W, H, GAP, STEP, EDGE] = [212, 66, 20, 50, 14];

const cut = (text, most) => ([...text].length > most ? [...text].slice(0, most - 1).join('') + '…' : text);

/** Who passes something on is known by a key alone: the end of the name is what tells it from others. */
const who = (issuer) => (issuer.startsWith('urn:ietf:params:oauth:jwk-thumbprint:') ? `key ${issuer.split(':').at(-1).slice(0, 10)}…` : issuer);

/** Nodes and edges: all calls, and, of the one that was asked about, its chain and its state. */
function parts(trace, words) {
  const nodes = Object.entries(trace.calls).map(([id, traced]) => {
    const said = head(traced);
    const row = said?.row ?? {};
    const lines = said
      ? [target(row) || row.kind, row.agent ? `by ${row.agent}` : '', `${stamp(row.time).slice(5, 19)}  ${row.verdict ?? row.kind}`]
      : [`${id.slice(0, 16)}…`, 'no log at hand', 'has this call'];
    const kind = `call ${id === trace.call ? 'asked' : ''} ${said ? row.verdict ?? '' : 'missing'}`;
    return { id, kind, lines, href: link({ call: id }), label: `Call ${title(traced, id)}, ${row.verdict ?? ''}` };
  });
  const edges = trace.edges.map(({ from, to, how }) => ({ from, to, how }));
  const { chain = [], state } = trace.calls[trace.call];
  chain.forEach((hop, n) => {
    const first = (words[n] ?? '').split('\n')[0].trim();
    const lines = [n === 0 ? 'granted by' : 'passed on by', who(hop.issuer), `to key ${hop.holder.slice(0, 10)}…`];
    nodes.push({ id: `hop ${n}`, kind: `hop ${hop.signature.check}`, lines, label: `Delegation ${n + 1}: ${first || hop.issuer}, signature ${hop.signature.check}` });
    edges.push({ from: `hop ${n}`, to: n + 1 < chain.length ? `hop ${n + 1}` : trace.call, how: 'grant' });
  });
  if (state) {
    const lines = ['state of', state.agent, `says ${state.issuer}`];
    nodes.push({ id: 'state', kind: `state ${state.signature.check}`, lines, label: `State of ${state.agent}, says ${state.issuer}, signature ${state.signature.check}` });
    edges.push({ from: 'state', to: trace.call, how: 'state' });
  }
  return { nodes, edges };
}

/** Each node below all that it came of. What logs say may go in circles: an edge back does not count. */
function layers(nodes, edges) {
  const out = new Map(nodes.map(({ id }) => [id, []]));
  for (const edge of edges) out.get(edge.from)?.push(edge.to);
  const state = new Map();
  const order = [];
  const forward = [];
  const visit = (id) => {
    state.set(id, 'open');
    for (const to of out.get(id) ?? []) {
      if (state.get(to) === 'open') continue;
      forward.push([id, to]);
      if (!state.has(to)) visit(to);
    }
    state.set(id, 'done');
    order.unshift(id);
  };
  nodes.forEach(({ id }) => state.has(id) || visit(id));
  const depth = new Map(order.map((id) => [id, 0]));
  for (const id of order) for (const [from, to] of forward) if (from === id) depth.set(to, Math.max(depth.get(to), depth.get(id) + 1));
  // What leads to one node alone stands right above it.
  for (const id of [...order].reverse()) {
    const below = forward.filter(([from]) => from === id).map(([, to]) => depth.get(to));
    if (below.length > 0) depth.set(id, Math.min(...below) - 1);
  }
  const rows = [];
  for (const node of nodes) (rows[depth.get(node.id)] ??= []).push(node);
  return rows.filter(Boolean);
}

/** Places: a layer that is too wide goes on in the next line. */
function arrange(rows, edges, room) {
  const most = Math.max(1, Math.floor((room + GAP) / (W + GAP)));
  const at = new Map();
  let y = EDGE;
  let right = 0;
  for (const row of rows) {
    const mean = (node) => {
      const above = edges.filter(({ to }) => to === node.id).map(({ from }) => at.get(from)?.x).filter((x) => x !== undefined);
      return above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : Infinity;
    };
    const sorted = row.map((node) => [mean(node), node]).sort(([a], [b]) => (a === b ? 0 : a - b)).map(([, node]) => node);
    for (let n = 0; n < sorted.length; n += most) {
      const part = sorted.slice(n, n + most);
      const all = part.length * (W + GAP) - GAP;
      const left = Math.max(EDGE, (Math.min(room, most * (W + GAP)) - all) / 2);
      part.forEach((node, i) => at.set(node.id, { x: left + i * (W + GAP), y }));
      right = Math.max(right, left + all);
      y += H + (n + most < sorted.length ? GAP : STEP);
    }
  }
  return { at, width: right + EDGE, height: y - STEP + EDGE };
}

export function graph(trace, words) {
  const { nodes, edges } = parts(trace, words);
  const room = Math.max(W, Math.min(1100, document.getElementById('main').clientWidth - 32));
  const { at, width, height } = arrange(layers(nodes, edges), edges, room);
  const lines = edges.map(({ from, to, how }) => {
    const [a, b] = [at.get(from), at.get(to)];
    const [x1, y1, x2, y2] = [a.x + W / 2, a.y + H, b.x + W / 2, b.y];
    const bend = Math.max(18, Math.abs(y2 - y1) / 2);
    return svg('path', { class: `edge ${how}`, d: `M${x1},${y1} C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2 - 3}`, 'marker-end': 'url(#arrow)' });
  });
  const boxes = nodes.map((node) => {
    const { x, y } = at.get(node.id);
    const inside = [
      svg('title', {}, node.label),
      svg('rect', { width: W, height: H, rx: 4 }),
      node.lines.map((text, n) => svg('text', { x: 10, y: 20 + n * 18, class: `line-${n}` }, cut(visible(text), 29))),
    ];
    const of = { class: `node ${node.kind}`, transform: `translate(${x},${y})`, 'aria-label': visible(node.label) };
    return node.href ? svg('a', { ...of, href: node.href }, inside) : svg('g', { ...of, tabindex: 0, role: 'img' }, inside);
  });
  const arrow = svg('marker', { id: 'arrow', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, svg('path', { d: 'M0,0 L8,4 L0,8 z' }));
  const picture = svg('svg', { class: 'graph', width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Provenance of the call', 'aria-describedby': 'as-lists' }, svg('defs', {}, arrow), lines, boxes);
  const key = (how, text) => el('li', {}, svg('svg', { width: 34, height: 10, 'aria-hidden': 'true' }, svg('path', { class: `edge ${how}`, d: 'M1,5 L33,5' })), ` ${text}`);
  const legend = el('ul', { class: 'legend' }, key('cause', 'on behalf of'), key('data', 'with data of'), key('grant', 'authority'), key('state', 'state'));
  return [el('div', { class: 'wide' }, picture), legend];
}
