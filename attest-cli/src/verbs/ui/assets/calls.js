// Entries as they come, the latest first, with filters. The page holds a window of some hundreds, never all.

import { ask, el, failure, link, say } from './dom.js';
import { line, rove, table } from './rows.js';

/** Rows of one request, and of the window. */
const STEP = 100;
const MOST = 400;

const VERDICTS = ['', 'allow', 'deny', 'result', 'tool-error', 'error', 'unknown', 'ok', 'bad'];
const TYPES = ['', 'decision', 'outcome', 'call', 'receipt', 'alert', 'refused', 'seen', 'start', 'config', 'accepted', 'closed', 'key'];
const FIELDS = [
  ['text', 'Words in what was kept'], ['agent', 'Agent'], ['server', 'Server'], ['tool', 'Tool'], ['verdict', 'Verdict', VERDICTS],
  ['type', 'Entry', TYPES], ['reason', 'Reason or rule'], ['label', 'Label'], ['destination', 'Host'],
  ['since', 'Since', undefined, '2h or a time'], ['until', 'Until', undefined, '2h or a time'],
];

/** The filters of a place. */
function filters(place) {
  const known = FIELDS.map(([name]) => [name, place.get(name) ?? '']);
  return Object.fromEntries(known.filter(([, value]) => value !== ''));
}

export async function calls(place, logs) {
  const asked = filters(place);
  const state = { rows: [], next: [], sizes: [], more: false, live: true };
  const { node, body } = table('Entries, the latest first', [], logs);
  const notice = el('p', { class: 'notice' });
  const trouble = el('div', {});
  const older = el('button', { type: 'button', click: () => load('older') }, 'Older');
  const newest = el('button', { type: 'button', click: () => load('newest') }, 'Back to the newest');
  const form = search(asked, logs);

  function standing() {
    const shown = `${state.rows.length} entries shown, each proved in its log`;
    const follows = state.live ? 'new ones appear by themselves' : 'new ones are not shown here';
    notice.replaceChildren(state.rows.length === 0 ? 'No entry has all of this.' : `${shown}; ${follows}.`);
    older.hidden = !state.more;
    newest.hidden = state.live;
    rove(body);
  }

  function warn(answer) {
    trouble.replaceChildren(...answer.trouble.filter(Boolean).map(failure));
  }

  /** A window that gets too long loses what is farthest. */
  function trim(end) {
    while (state.rows.length > MOST) {
      const gone = end === 'top' ? state.rows.shift() : state.rows.pop();
      (end === 'top' ? body.firstChild : body.lastChild).remove();
      if (end === 'top') state.live = false;
      else {
        const index = gone.row?.index ?? gone.index;
        state.next[gone.log] = Math.max(state.next[gone.log], index + 1);
        state.more = true;
      }
    }
  }

  /** One request at a time: each begins where the one before ended. */
  async function load(which) {
    if (state.busy) return;
    state.busy = true;
    try {
      await fetched(which);
    } catch (error) {
      trouble.replaceChildren(failure(error));
    } finally {
      state.busy = false;
    }
  }

  async function fetched(which) {
    const below = which === 'older' ? state.next.join(',') : undefined;
    const answer = await ask('rows', { ...asked, below, most: STEP });
    warn(answer);
    if (which !== 'older') {
      state.rows = [];
      body.replaceChildren();
      Object.assign(state, { sizes: answer.sizes, live: true });
    }
    state.rows.push(...answer.rows);
    Object.assign(state, { next: answer.next, more: answer.more });
    const first = body.childElementCount;
    body.append(...answer.rows.map((found) => line(found, logs)));
    if (which === 'older') {
      body.children[first]?.querySelector('a.to')?.focus();
      say(`${answer.rows.length} older entries`);
      trim('top');
    }
    standing();
  }

  async function news() {
    if (!state.live || state.busy) return;
    const answer = await ask('rows', { ...asked, from: state.sizes.join(',') });
    if (state.busy) return;
    warn(answer);
    if (answer.more) return load('newest');
    const grown = answer.rows.length > 0;
    state.sizes = answer.sizes;
    if (!grown) return;
    state.rows.unshift(...answer.rows);
    const lines = answer.rows.map((found) => line(found, logs));
    lines.forEach((tr) => tr.classList.add('new'));
    body.prepend(...lines);
    trim('bottom');
    standing();
    const denied = answer.rows.filter(({ row }) => row?.verdict === 'deny').length;
    say(`${answer.rows.length} new entries${denied ? `, ${denied} refused` : ''}`);
  }

  await load('newest');
  const nodes = [el('h1', {}, 'Calls'), form.node, trouble, notice, node, el('p', { class: 'more' }, older, newest)];
  return { title: 'Calls', nodes, news, search: form.focus, ready: () => place.has('search') && form.focus() };
}

function search(asked, logs) {
  const set = Object.keys(asked).length;
  const servers = el('datalist', { id: 'servers' }, logs.map((log) => el('option', { value: log.origin })));
  const agents = el('datalist', { id: 'agents' }, logs.filter((log) => log.owner).map((log) => el('option', { value: log.owner })));
  const fields = FIELDS.map(([name, label, options, hint]) => {
    const id = `f-${name}`;
    const list = { server: 'servers', agent: 'agents' }[name];
    const input = options
      ? el('select', { id, name }, options.map((word) => el('option', { value: word, selected: word === (asked[name] ?? '') }, word || 'any')))
      : el('input', { id, name, value: asked[name] ?? '', placeholder: hint, list, autocomplete: 'off', spellcheck: 'false' });
    return el('div', { class: `field f-${name}` }, el('label', { for: id }, label), input);
  });
  const submit = (event) => {
    event.preventDefault();
    const given = [...new FormData(event.currentTarget)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
    location.hash = link({ view: 'calls', ...Object.fromEntries(given) });
  };
  const clear = el('a', { href: '#view=calls', hidden: set === 0 }, 'Clear');
  const form = el('form', { role: 'search', 'aria-label': 'Filters', submit }, fields, servers, agents,
    el('div', { class: 'field do' }, el('button', {}, 'Find'), clear));
  const wide = matchMedia('(min-width: 60rem)').matches;
  const node = el('details', { class: 'filters', open: wide || set > 0 },
    el('summary', {}, set === 0 ? 'Filters' : `Filters (${set} set)`, el('kbd', {}, '/')), form);
  const focus = () => {
    node.open = true;
    form.querySelector('input').focus();
  };
  return { node, focus };
}
