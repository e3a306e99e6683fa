// What Node reads in a document: the counterpart of tests/tests/differential.rs. The framing, the modes and the
// normal form are those of oracle.py, beside this file. Of members of one name JSON.parse keeps the last.
import { createRequire } from 'node:module';
import { join } from 'node:path';

// What body-parser decodes with, by the charset of the Content-Type: process.argv[2] is the folder that has it.
const iconv = createRequire(join(process.argv[2], 'node_modules/'))('iconv-lite');

const CALL = 'tools/call';
const decoder = (charset, options) => {
  const inner = new TextDecoder(charset, options);
  return (bytes) => inner.decode(bytes);
};
const utf8 = {
  'utf-8': decoder('utf-8'),
  'utf-8-fatal': decoder('utf-8', { fatal: true }),
  'utf-8-bom': decoder('utf-8', { ignoreBOM: true }),
  buffer: (bytes) => bytes.toString('utf8'),
};
// By the charset of a Content-Type: asked about what passes alone, since what is forwarded says that it is UTF-8.
const every = {
  ...utf8,
  latin1: (bytes) => bytes.toString('latin1'),
  ascii: (bytes) => bytes.toString('ascii'),
  'utf-16le': decoder('utf-16le'),
  'utf-16be': decoder('utf-16be'),
  'iconv-utf-16': (bytes) => iconv.decode(bytes, 'utf-16'),
  'iconv-utf-32': (bytes) => iconv.decode(bytes, 'utf-32'),
};
// Ends of lines: the SDK's own reader, and the module node:readline, which ends a line at U+2028 and U+2029 too.
const SDK_LINE = /\r?\n/;
const READLINE = /\r\n|\n|\r|\u2028|\u2029/;

/** Every text that some reader makes of the bytes, each once, with the reader's name. */
function texts(bytes, decodings, lines) {
  const found = new Map();
  const add = (text, name) => {
    // Without a brace there is no message.
    if (text.includes('{') && !found.has(text)) found.set(text, name);
  };
  for (const [name, decode] of Object.entries(decodings)) {
    let text;
    try {
      text = decode(bytes);
    } catch {
      continue;
    }
    if (found.has(text)) continue;
    add(text, name);
    add(text.trim(), `${name}/trim`);
    const nul = text.indexOf('\0');
    if (nul >= 0) add(text.slice(0, nul), `${name}/nul`);
    if (!lines) continue;
    for (const line of text.split(SDK_LINE)) add(line, `${name}/lines`);
    for (const line of text.split(READLINE)) add(line, `${name}/readline`);
  }
  return found;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const fold = (name) => name.toLowerCase().replace('\u017f', 's').replace('\u212a', 'k');

/** The member of this name in any case: the last one, as Go has it, or the first. */
function folded(object, wanted, which) {
  const names = Object.keys(object).filter((name) => fold(name) === wanted);
  return names.length ? object[names.at(which)] : undefined;
}

const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);
// How a member is looked up. `assign` is what a copy by Object.assign has: a member `__proto__` becomes its prototype.
const lookups = {
  own,
  property: (object, name) => object[name],
  assign: (object, name) => Object.assign({}, object)[name],
  'fold-last': (object, name) => folded(object, name, -1),
  'fold-first': (object, name) => folded(object, name, 0),
};

function* messages(value) {
  if (isObject(value)) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* messages(item);
}

/** `tools/call`, also to a server that uses whatever the method is converted to as a key. */
function isCall(method) {
  if (typeof method === 'string') return method === CALL;
  if (!Array.isArray(method)) return false;
  try {
    return String(method) === CALL;
  } catch {
    return false;
  }
}

/** Each call that some reading finds. */
function* calls(bytes, decodings, lines = true) {
  for (const [text, name] of texts(bytes, decodings, lines)) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      continue;
    }
    const batch = Array.isArray(value) ? '/array' : '';
    for (const message of messages(value)) {
      for (const [lookup, get] of Object.entries(lookups)) {
        if (isCall(get(message, 'method'))) yield { name: `${name}${batch}/${lookup}`, message, get };
      }
    }
  }
}

function hunt(bytes, lines = true) {
  return [...new Set([...calls(bytes, every, lines)].map((call) => call.name))].join(',');
}

function forwarded(bytes) {
  const forms = new Map();
  let plain = false;
  for (const { name, message, get } of calls(bytes, utf8)) {
    plain ||= name === 'utf-8/own';
    const params = get(message, 'params');
    if (!isObject(params)) return `!${name}: no params`;
    const given = get(params, 'arguments');
    const form = write(get(params, 'name')) + (given === undefined ? '-' : write(given));
    if (!forms.has(form)) forms.set(form, name);
  }
  if (!plain) return '!JSON.parse finds no call';
  if (forms.size > 1) return `!${[...forms].map(([form, name]) => `${name} ${form}`).join(' | ')}`;
  return forms.keys().next().value;
}

function plain(bytes) {
  try {
    return write(JSON.parse(utf8['utf-8-bom'](bytes)));
  } catch (error) {
    return `!${error.message}`;
  }
}

const double = Buffer.alloc(8);
// Half a surrogate pair would be written as U+FFFD, and so hide.
const text = (value) => `${value.isWellFormed() ? 's' : 'half'}${Buffer.byteLength(value)}:${value}`;

function write(value) {
  if (value === null || value === undefined) return 'n';
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (typeof value === 'string') return text(value);
  if (typeof value === 'number') {
    double.writeDoubleBE(value === 0 ? 0 : value);
    return `d${double.toString('hex')}`;
  }
  if (Array.isArray(value)) return `a${value.length}:${value.map(write).join('')}`;
  const names = Object.keys(value).map((name) => [Buffer.from(name), name]);
  names.sort((a, b) => Buffer.compare(a[0], b[0]));
  return `o${names.length}:${names.map(([, name]) => text(name) + write(value[name])).join('')}`;
}

const modes = { H: hunt, B: (bytes) => hunt(bytes, false), F: forwarded, P: plain };

function answers(batch) {
  const out = [];
  for (let at = 0; at < batch.length; ) {
    const end = at + 4 + batch.readUInt32BE(at);
    const answer = Buffer.from(modes[String.fromCharCode(batch[at + 4])](batch.subarray(at + 5, end)));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(answer.length);
    out.push(length, answer);
    at = end;
  }
  return Buffer.concat(out);
}

let pieces = [];
let have = 0;
for await (const piece of process.stdin) {
  pieces.push(piece);
  have += piece.length;
  // One batch at a time: whoever sends one reads its answers before the next.
  if (have < 4) continue;
  if (pieces[0].length < 4) pieces = [Buffer.concat(pieces)];
  if (have < 4 + pieces[0].readUInt32BE(0)) continue;
  const batch = Buffer.concat(pieces).subarray(4);
  pieces = [];
  have = 0;
  process.stdout.write(answers(batch));
}
