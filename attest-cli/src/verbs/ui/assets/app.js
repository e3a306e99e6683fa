// Which view is shown: what stands behind # says it, so that each view is a link.

import { ask, badge, el, failure, say, visible } from './dom.js';
import { calls } from './calls.js';
import { call, entry } from './call.js';
import { states } from './states.js';
import { alerts, approvals, logs } from './panels.js';

const VIEWS = { calls, states, alerts, approvals, logs };
/** How often it is looked for what is new, in milliseconds. */
const EVERY = 2000;

const main = document.getElementById('main');
let shown = { stop() {} };
let turn = 0;

async function show(event) {
  const first = !event;
  const place = new URLSearchParams(location.hash.slice(1));
  const name = VIEWS[place.get('view')] ? place.get('view') : 'calls';
  const of = place.has('call') ? call : place.has('entry') ? entry : VIEWS[name];
  const mine = ++turn;
  shown.stop?.();
  shown = {};
  for (const a of document.querySelectorAll('#views a')) {
    const here = a.hash === `#view=${of === VIEWS[name] ? name : 'calls'}`;
    if (here) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  main.setAttribute('aria-busy', 'true');
  try {
    const { logs: all } = await ask('logs');
    const view = await of(place, all);
    if (mine !== turn) return;
    shown = view;
    main.replaceChildren(...view.nodes);
    document.title = `${visible(view.title)} – attest`;
    say(view.title);
    view.ready?.();
  } catch (error) {
    if (mine === turn) main.replaceChildren(el('h1', {}, 'attest'), failure(error));
  }
  main.removeAttribute('aria-busy');
  if (mine !== turn || first) return;
  window.scrollTo(0, 0);
  // What had the focus may be gone with the view.
  if (document.activeElement === document.body) main.focus({ preventScroll: true });
}

/** What is the matter, in the head of every view. */
async function health() {
  const at = document.getElementById('health');
  try {
    const { logs: all, broken } = await ask('logs');
    const wrong = all.filter((log) => log.trouble || log.check?.last?.verdict === 'wrong' || log.check?.failed).length + broken.length;
    const entries = all.reduce((sum, log) => sum + log.size, 0);
    const text = `${entries.toLocaleString('en')} entries, ${all.length + broken.length} ${all.length + broken.length === 1 ? 'log' : 'logs'}`;
    const said = wrong > 0 ? `${text}, ${wrong} wrong` : text;
    if (at.dataset.said !== said) {
      at.dataset.said = said;
      at.replaceChildren(text, ...(wrong > 0 ? [' ', el('a', { href: '#view=logs' }, badge('wrong'))] : []));
      if (wrong > 0) say(`${wrong} logs are wrong`);
    }
  } catch (error) {
    at.dataset.said = '';
    at.replaceChildren(failure(error));
  }
}

async function tick() {
  if (document.visibilityState === 'visible') {
    await health();
    await shown.news?.().catch(() => {});
  }
  setTimeout(tick, EVERY);
}

document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener('keydown', (event) => {
  const typing = event.target.closest?.('input, select, textarea');
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    if (shown.search) shown.search();
    else location.hash = '#view=calls&search=1';
  }
});
window.addEventListener('hashchange', show);
show().then(tick);
