// Alerts, what waits for people, and the logs themselves.

import { ask, badge, digest, el, failure, pre, say, stamp, time } from './dom.js';
import { table } from './rows.js';

/** A view that is made anew when its answer is another than before. */
async function watched(title, what, make) {
  const holder = el('div', {});
  let known;
  async function draw() {
    const answer = await ask(what);
    const text = JSON.stringify({ ...answer, now: 0 });
    if (text === known) return;
    if (known !== undefined) say(`${title}: brought up to date`);
    known = text;
    const held = holder.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    holder.replaceChildren(...[make(answer)].flat(Infinity).filter(Boolean));
    if (held) [...holder.querySelectorAll('a')].find((a) => a.getAttribute('href') === held)?.focus();
  }
  await draw();
  return { title, nodes: [el('h1', {}, title), holder], news: draw };
}

const part = (title, ...nodes) => el('section', {}, el('h2', {}, title), nodes);

export const alerts = (place, logs) => watched('Alerts', 'alerts', ({ open, latest, closed }) => [
  part(`Open (${open.length})`, open.length ? table('Open alerts', open, logs).node : el('p', {}, 'No alert is open.'),
    el('p', { class: 'notice' }, 'Alerts are held open by a guard’s log; ', el('code', {}, 'attest alerts close'), ' closes them.')),
  part('The latest', latest.length ? table('The latest alerts', latest, logs).node : el('p', {}, 'No log at hand has an alert.')),
  closed.length > 0 && part('Closed by people', table('Closed alerts', closed, logs).node),
]);

export const approvals = (place, logs) => watched('Approvals', 'approvals', ({ requests, counted }) => [
  el('p', { class: 'notice' }, 'Calls that wait for people. This page only shows them; ', el('code', {}, 'attest approvals serve'), ' is where they are approved.',
    counted ? '' : ' With --trust it would say who approved so far.'),
  requests.length === 0 && el('p', {}, 'Nothing waits for approval.'),
  requests.map((one) => one.failed ? failure(`${logs[one.log]?.origin}: ${one.failed}`) : el('section', { class: 'request' },
    el('h2', {}, `${one.agent} asks for ${one.tool} of ${one.server} `, one.refused && badge('refused')),
    el('p', {}, `asked ${stamp(one.asked * 1000).slice(0, 19)}, open until ${stamp(one.expires * 1000).slice(0, 19)} UTC, `, digest(one.id)),
    el('dl', { class: 'facts' }, one.sections.filter(([name]) => !['Request', 'Time'].includes(name)).map(([name, lines]) => [el('dt', {}, name), el('dd', {}, pre(lines.join('\n')))])))),
]);

function verification(check) {
  const { running, last, failed } = check ?? {};
  const going = running && `being verified: ${running[0].toLocaleString('en')} of ${running[1].toLocaleString('en')} entries`;
  if (failed) return [badge('wrong'), ` could not be verified: ${failed}`];
  if (!last) return going || 'not yet verified';
  const found = last.findings.map((text) => el('li', {}, text));
  const more = last.faults - last.findings.length;
  return [
    badge(last.verdict), ` ${last.entries.toLocaleString('en')} entries and ${last.signatures.toLocaleString('en')} signatures, `, time(last.time), ` in ${(last.milliseconds / 1000).toFixed(1)} s`,
    last.verdict === 'not pinned' && el('p', { class: 'hint' }, 'Nothing is wrong, and it is the log’s own word: give --key for the log’s key.'),
    last.unchecked > 0 && el('p', { class: 'hint' }, `${last.unchecked.toLocaleString('en')} signatures of attesters and roots were not checked: give --trust.`),
    found.length > 0 && el('ul', { class: 'found' }, found, more > 0 && el('li', {}, `and ${more} more: attest log verify --all`)),
    going && el('p', { class: 'hint' }, going),
  ];
}

function witnesses(cosigned) {
  if (!cosigned) return 'no checkpoint was cosigned';
  if (cosigned.failed) return cosigned.failed;
  return [`${cosigned.size.toLocaleString('en')} entries are in the newest that was cosigned, under the ${cosigned.names.length === 1 ? 'name' : 'names'} ${cosigned.names.join(', ')}`,
    el('p', { class: 'hint' }, 'Their signatures are checked by ', el('code', {}, 'attest log verify --policy'), '.')];
}

export const logs = () => watched('Logs', 'logs', ({ logs: all, broken }) => [
  broken.map(({ file, why }) => el('section', { class: 'log' }, el('h2', {}, file, ' ', badge('wrong')), el('p', {}, 'Not shown: ', why))),
  all.map((log) => el('section', { class: 'log' }, el('h2', {}, log.origin, ' ', badge(log.trouble ? 'wrong' : log.check?.last?.verdict ?? '…')),
    log.trouble && failure(log.trouble),
    el('dl', { class: 'facts' }, [
      ['File', el('code', {}, log.file)],
      ['Whose', log.owner ? `agent ${log.owner}` : 'a server’s, or an audit’s'],
      ['Checkpoint', [`${log.size.toLocaleString('en')} entries, root `, digest(log.root, true)]],
      ['Last entry', log.last ? time(log.last) : 'none'],
      ['Key', [log.keys.map((key) => el('code', { class: 'digest' }, key)), log.check?.pinned ? el('p', { class: 'hint' }, 'pinned') : el('p', { class: 'hint' }, 'says the log itself')]],
      ['Verification', verification(log.check)],
      ['Witnesses', witnesses(log.cosigned)],
    ].map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])))),
]);
