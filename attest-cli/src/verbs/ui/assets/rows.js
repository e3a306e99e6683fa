// Entries in a table. The arrows move from one to the next; each is a link to its call, or to itself.

import { badge, digest, el, link, time } from './dom.js';

/** Where an entry leads. */
export const place = ({ log, row }) => (row.call ? link({ call: row.call }) : link({ entry: `${log}.${row.index}` }));

/** Server and tool in one. */
export const target = (row) => [row.server, row.tool].filter(Boolean).join('#');

const COLUMNS = ['Time (UTC)', 'Verdict', 'Entry', 'Server#tool', 'Agent', 'What it says', 'Labels', 'Log#index'];

/** One entry. */
export function line(found, logs) {
  const name = logs[found.log]?.origin ?? '?';
  if (found.wrong) {
    const at = el('a', { href: '#view=logs', class: 'to' }, `${name}#${found.index}`);
    return tr('wrong', ['', badge('not proved'), '', '', '', found.wrong, '', at]);
  }
  const { row } = found;
  const at = el('a', { href: place(found), class: 'to' }, time(row.time));
  const words = [row.reason && el('b', {}, row.reason), row.reason && ' ', row.words, row.destinations?.length ? ` → ${row.destinations.join(' ')}` : ''];
  const call = row.call && el('span', { class: 'of' }, ' ', digest(row.call));
  const labels = (row.labels ?? []).map((label) => el('span', { class: 'label' }, label));
  const verdict = row.severity ?? row.verdict;
  return tr('', [at, verdict && badge(verdict), row.kind, target(row), row.agent, [words, call], labels, `${name}#${row.index}`]);
}

function tr(kind, cells) {
  const names = ['t', 'v', 'k', 's', 'a', 'w', 'l', 'i'];
  return el('tr', { class: kind, role: 'row' }, cells.map((cell, n) => el('td', { class: names[n], role: 'cell' }, cell)));
}

/** A table of entries; its first column leads on. */
export function table(caption, found, logs) {
  const body = el('tbody', { role: 'rowgroup' }, found.map((one) => line(one, logs)));
  const head = el('tr', { role: 'row' }, COLUMNS.map((name) => el('th', { scope: 'col', role: 'columnheader' }, name)));
  const node = el('table', { class: 'rows', role: 'table', keydown: arrows, click: follow },
    el('caption', { class: 'unseen' }, caption), el('thead', { role: 'rowgroup' }, head), body);
  rove(body);
  return { node, body };
}

/** One of the links is in the order of the tab key; the arrows reach the others. */
export function rove(body) {
  const links = [...body.querySelectorAll('a.to')];
  const held = links.includes(document.activeElement) ? document.activeElement : links[0];
  links.forEach((a) => (a.tabIndex = a === held ? 0 : -1));
}

function arrows(event) {
  const links = [...event.currentTarget.querySelectorAll('a.to')];
  const at = links.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1, PageDown: at + 20, PageUp: at - 20 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const next = links[Math.max(0, Math.min(links.length - 1, to))];
  links[at].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function follow(event) {
  if (event.target.closest('a') || !getSelection().isCollapsed) return;
  event.target.closest('tr')?.querySelector('a.to')?.click();
}
