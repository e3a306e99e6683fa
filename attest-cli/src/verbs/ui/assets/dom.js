// What the page is built with. Every text passes `visible` and becomes a text node: nothing that somebody wrote is markup here.

const SVG = 'http://www.w3.org/2000/svg';

/** Control and formatting characters written out: a name cannot turn the direction of writing or hide a part of itself. */
export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? '' : name === 'title' ? visible(value) : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return node;
}

/** An element; an attribute that is a function listens to the event of its name. */
export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

/** Lines as they stand. */
export function pre(text) {
  const lines = String(text).split('\n').map(visible);
  const node = el('pre', { tabindex: 0 });
  node.append(document.createTextNode(lines.join('\n')));
  return node;
}

/** A digest: its beginning, or all of it. */
export const digest = (text, whole) => el('code', { class: 'digest', title: text }, whole ? text : text.slice(0, 10) + '…');

/** Milliseconds since 1970, in UTC. */
export function stamp(ms) {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace('T', ' ').replace('Z', '');
}
export const time = (ms) => el('time', { title: `${stamp(ms)} UTC` }, stamp(ms).slice(0, 19));

/** `#name=value&…`. */
export const link = (members) => '#' + new URLSearchParams(members).toString();

const GOOD = ['allow', 'result', 'ok', 'holds', 'whole'];
const BAD = ['deny', 'bad', 'wrong', 'critical', 'high', 'refused', 'not proved'];
const ODD = ['tool-error', 'error', 'unknown', 'cancelled', 'medium', 'low', 'changed', 'not pinned', 'unknown key'];

/** A word with its colour; the word says it too. */
export function badge(word) {
  const kind = GOOD.includes(word) ? 'good' : BAD.includes(word) ? 'bad' : ODD.includes(word) ? 'odd' : 'plain';
  return el('span', { class: `badge ${kind}` }, word);
}

/** The answer to a request, or an error in words. */
export async function ask(what, members = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) if (value !== undefined && value !== '') query.set(name, value);
  let answer;
  try {
    answer = await fetch(`api/${what}?${query}`);
  } catch {
    throw new Error('attest ui does not answer: was it stopped?');
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

let later;
/** Tells a screen reader, not more often than it can be listened to. */
export function say(text) {
  clearTimeout(later);
  later = setTimeout(() => document.getElementById('live').replaceChildren(visible(text)), 400);
}

export const failure = (error) => el('p', { class: 'failure', role: 'alert' }, error.message ?? error);
