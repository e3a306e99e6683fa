// What agents attested, over time: a lane for each component, a mark where it became another.

import { ask, badge, digest, el, failure, link, say, stamp, svg, time } from './dom.js';

const [LEFT, LANE, MARK] = [132, 24, 6];

/** Changes of one agent, oldest first, as marks. */
function marks(moments) {
  const all = [];
  for (const moment of moments) {
    for (const change of moment.changed ?? []) {
      const kind = change.before === undefined ? 'first' : change.after === undefined ? 'gone' : 'drift';
      all.push({ component: change.component, kind, change, moment });
    }
  }
  return all;
}

const WORDS = { first: 'first shown', gone: 'shown no longer', drift: 'changed' };

function shape(kind, x, y) {
  if (kind === 'first') return svg('circle', { cx: x, cy: y, r: MARK - 1 });
  if (kind === 'gone') return svg('path', { d: `M${x - MARK},${y - MARK} l${2 * MARK},${2 * MARK} m0,${-2 * MARK} l${-2 * MARK},${2 * MARK}` });
  return svg('path', { d: `M${x},${y - MARK - 1} l${MARK + 1},${MARK + 1} l${-MARK - 1},${MARK + 1} l${-MARK - 1},${-MARK - 1} z` });
}

function lanes(agent, all, [from, to], width) {
  const components = [...new Set(all.map(({ component }) => component))].sort();
  const x = (ms) => LEFT + MARK + 2 + ((ms - from) / Math.max(1, to - from)) * (width - LEFT - 3 * MARK - 4);
  const height = components.length * LANE + 22;
  const rows = components.map((component, n) => {
    const y = n * LANE + LANE / 2;
    const mine = all.filter((mark) => mark.component === component);
    const begun = x(mine[0].moment.row.time);
    return [
      svg('text', { x: 0, y: y + 4, class: 'name' }, component),
      svg('path', { class: 'lane', d: `M${begun},${y} L${width - MARK},${y}` }),
      mine.map(({ kind, moment }) => {
        const label = `${component} ${WORDS[kind]} at ${stamp(moment.row.time)}`;
        const href = moment.row.call ? link({ call: moment.row.call }) : link({ entry: `${moment.log}.${moment.row.index}` });
        return svg('a', { href, class: `mark ${kind}`, 'aria-label': label }, svg('title', {}, label), shape(kind, x(moment.row.time), y));
      }),
    ];
  });
  // Days and minutes, or, of a short time, seconds.
  const short = (ms) => (to - from < 3_600_000 ? stamp(ms).slice(11, 19) : stamp(ms).slice(5, 16));
  const axis = [
    svg('text', { x: LEFT, y: height - 4, class: 'axis' }, short(from)),
    svg('text', { x: width - 2, y: height - 4, class: 'axis', 'text-anchor': 'end' }, short(to)),
  ];
  return svg('svg', { class: 'lanes', width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': `Components of ${agent} over time` }, rows, axis);
}

function lines(moments, logs) {
  const last = new Map();
  const rows = [];
  for (const moment of moments) {
    const { row, log } = moment;
    const at = `${logs[log]?.file}#${row.index}`;
    const before = last.get(row.agent);
    const place = el('a', { href: row.call ? link({ call: row.call }) : link({ entry: `${log}.${row.index}` }) }, `${logs[log]?.origin}#${row.index}`);
    const cells = (word, what, command) => el('tr', {}, el('td', {}, time(row.time)), el('td', {}, row.agent), el('td', {}, badge(word)), el('td', {}, what), el('td', {}, place, command));
    for (const { component, before: was, after: is } of moment.changed ?? []) {
      if (was === undefined) rows.push(cells('first shown', [component, ' ', digest(is)]));
      else if (is === undefined) rows.push(cells('changed', [component, ' ', digest(was), ' is shown no longer']));
      else rows.push(cells('changed', [component, ' ', digest(was), ' → ', digest(is)], before && el('code', { class: 'command' }, `attest diff ${before} ${at}`)));
    }
    if ((moment.changed ?? []).length === 0) rows.push(cells(row.kind === 'accepted' ? 'accepted' : 'changed', row.words));
    else last.set(row.agent, at);
  }
  return rows.reverse();
}

export async function states(place, logs) {
  const holder = el('div', {});
  let known;
  async function draw() {
    const answer = await ask('states');
    const now = `${answer.moments.length} ${answer.moments[0]?.log}#${answer.moments[0]?.row.index} ${answer.followed} ${answer.trouble}`;
    if (now === known) return;
    if (known !== undefined) say('The states were brought up to date');
    known = now;
    const moments = [...answer.moments].reverse();
    const agents = new Map();
    for (const moment of moments) {
      const agent = moment.row.agent ?? `what ${logs[moment.log]?.origin} saw`;
      agents.set(agent, [...(agents.get(agent) ?? []), moment]);
    }
    const times = moments.map((moment) => moment.row.time);
    const span = [Math.min(...times), Math.max(...times)];
    const width = Math.max(320, Math.min(1100, document.getElementById('main').clientWidth - 32));
    const drawn = [...agents].map(([agent, mine]) => {
      const all = marks(mine);
      const drifts = all.filter(({ kind }) => kind !== 'first').length;
      if (all.length === 0) return [];
      return el('section', {}, el('h2', {}, agent, ' ', drifts ? badge('changed') : null), el('div', { class: 'wide' }, lanes(agent, all, span, width)));
    });
    const head = ['Time (UTC)', 'Agent', 'What', 'Component', 'Seen with'].map((name) => el('th', { scope: 'col' }, name));
    const table = el('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'All changes' },
      el('table', {}, el('caption', { class: 'unseen' }, 'All changes, the latest first'), el('thead', {}, el('tr', {}, head)), el('tbody', {}, lines(moments, logs))));
    const legend = el('ul', { class: 'legend lanes' }, ['first', 'drift', 'gone'].map((kind) =>
      el('li', {}, svg('svg', { width: 18, height: 16, 'aria-hidden': 'true' }, svg('g', { class: `mark ${kind}` }, shape(kind, 9, 8))), ` ${WORDS[kind]}`)));
    const said = moments.length > 0 ? [legend, drawn, el('section', {}, el('h2', {}, 'All changes'), table)]
      : el('p', {}, answer.followed ? 'No call in these logs came with an attested state.' : 'The logs are being read…');
    const wait = !answer.followed && moments.length > 0 ? el('p', { class: 'notice' }, 'The logs are still being read; there may be more.') : null;
    holder.replaceChildren(...[answer.trouble && failure(answer.trouble), wait, said].flat(Infinity).filter(Boolean));
  }
  await draw();
  const about = el('p', { class: 'notice' }, 'What agents attested with their calls, from call to call. Whether a state was accepted, the call’s verdict says.');
  return { title: 'States', nodes: [el('h1', {}, 'States over time'), about, holder], news: draw };
}
