// Runs a script: JavaScript that its node holds as text. See docs/specs/script.md for what it may use.
//
// What is made here at the top is made when the component is built, and is the same in each instance.
// Whatever a script could change for the events after it is frozen: it remembers by `state` alone. What it
// reaches outside differs: `function.js` is for nodes that list nothing, `connected.js` for all others.

import { nowMs } from 'flow:function/clock@0.1.0';
import { get as setting } from 'flow:function/config@0.1.0';
import { log as logLine } from 'flow:function/logging@0.1.0';
import { emit as send } from 'flow:function/output@0.1.0';
import { bytes } from 'flow:function/random@0.1.0';
import * as store from 'flow:function/state@0.1.0';

// Lines that stand before the first one of a script, in what the engine calls its source.
const LINES_BEFORE = 3;

class Answer extends Error {
  constructor(tag, reason) {
    super(String(reason));
    this.tag = tag;
  }
}
const invalid = (reason) => new Answer('invalid', reason);
export const retry = (reason) => new Answer('transient', reason);
const fatal = (reason) => new Answer('fatal', reason);

// ---- what a script is given

function emit(port, data, attributes = {}) {
  if (typeof port !== 'string') throw new TypeError('emit(port, data): the port is a text');
  const now = current;
  const { id = '', type = '', subject = now.subject, time = now.timeMs, extensions } = attributes;
  const sent = {
    id: String(id),
    source: '',
    type: String(type),
    subject: subject == null ? undefined : String(subject),
    timeMs: Math.max(0, Math.trunc(Number(time)) || 0),
    datacontenttype: data === undefined ? '' : 'application/json',
    extensions: extensions === undefined ? now.extensions : pairs(extensions),
    data: data === undefined ? { tag: 'none' } : { tag: 'json', val: json(data) },
  };
  try {
    send(port, sent);
  } catch (error) {
    throw new Error(refusal(port, error?.payload ?? error));
  }
}

function refusal(port, { tag, val }) {
  switch (tag) {
    case 'no-such-port':
      return `there is no port \`${port}\`; name it among the ports of the node`;
    case 'too-many':
      return `more than ${val} events of one call`;
    case 'too-large':
      return `more than ${val} bytes sent by one call`;
    case 'schema':
      return `what is sent to \`${port}\` does not fit its schema: ${val}`;
    default:
      return `cannot send to \`${port}\`: ${tag ?? 'unknown'}`;
  }
}

const state = {
  get(key) {
    const held = asked(() => store.get(String(key)));
    return held == null ? undefined : JSON.parse(fromUtf8(held));
  },
  put(key, value, ttlMs) {
    const text = json(value);
    const ttl = ttlMs == null ? undefined : Math.max(0, Math.trunc(Number(ttlMs)) || 0);
    asked(() => store.put(String(key), toUtf8(text), ttl));
  },
  delete(key) {
    asked(() => store.delete(String(key)));
  },
};

function asked(call) {
  try {
    return call();
  } catch (error) {
    const { tag, val } = error?.payload ?? error;
    if (tag === 'unavailable') throw retry(`state: ${val}`);
    if (tag === 'quota') throw new Error(`more than ${val} bytes of state written by one call`);
    throw error;
  }
}

const config = {
  get(name) {
    return setting(String(name)) ?? undefined;
  },
};

const line =
  (level) =>
  (...parts) => {
    const text = parts.map((part) => (typeof part === 'string' ? part : shown(part))).join(' ');
    logLine(level, text, []);
  };
const console = {
  trace: line('trace'),
  debug: line('debug'),
  log: line('info'),
  info: line('info'),
  warn: line('warn'),
  error: line('error'),
};

// ---- time and chance come from the host

const BuiltinDate = Date;
class HostDate extends BuiltinDate {
  constructor(...parts) {
    if (parts.length === 0) super(Number(nowMs()));
    else super(...parts);
  }
  static now() {
    return Number(nowMs());
  }
}
// `Date()` without `new` is a text of now.
globalThis.Date = new Proxy(HostDate, { apply: () => new HostDate().toString() });
BuiltinDate.prototype.constructor = globalThis.Date;

// Seeded by the host at the first draw of a call: sfc32, by Chris Doty-Humphrey.
let drawn;
Math.random = () => {
  drawn ??= new Uint32Array(Uint8Array.from(bytes(16)).buffer);
  const t = (((drawn[0] + drawn[1]) | 0) + drawn[3]) | 0;
  drawn[3] += 1;
  drawn[0] = drawn[1] ^ (drawn[1] >>> 9);
  drawn[1] = (drawn[2] + (drawn[2] << 3)) | 0;
  drawn[2] = ((drawn[2] << 21) | (drawn[2] >>> 11)) + t;
  return ((t + drawn[2]) >>> 0) / 4294967296;
};

// ---- a call

let run;
let current;

// The function that handles events, with what scripts reach outside by its names.
export function handler(outside) {
  const tools = { emit, state, config, console, invalid, retry, fatal, ...outside };
  const names = ['event', ...Object.keys(tools)];
  const values = Object.values(tools);
  freezeAll(values);
  return (event, port) => {
    drawn = undefined;
    try {
      run ??= compile(names, setting('script') ?? '');
      current = event;
      const result = run(given(event, port), ...values);
      if (result instanceof Promise) throw new TypeError('a script cannot wait: leave out `async`');
      if (result !== undefined && result !== null) emit(setting('first_port') ?? 'out', result);
    } catch (error) {
      throw answer(error);
    }
  };
}

function compile(names, source) {
  try {
    return new Function(...names, `"use strict";\n${source}\n`);
  } catch (error) {
    throw fatal(told(error));
  }
}

function given(event, port) {
  const { tag, val } = event.data;
  return {
    id: event.id,
    source: event.source,
    type: event.type,
    subject: event.subject,
    time: Number(event.timeMs),
    extensions: Object.fromEntries(event.extensions),
    port,
    data: tag === 'json' ? JSON.parse(val) : tag === 'none' ? undefined : val,
  };
}

// What is thrown with a tag is an answer. Anything else is a fault that this event met: it is given up
// with the line, and the next one finds the script as it was.
function answer(error) {
  if (error instanceof Answer) return { tag: error.tag, val: error.message };
  return { tag: 'invalid', val: told(error) };
}

function told(error) {
  const at = /(?:<input>|<evalScript>):(\d+)(?::(\d+))?/.exec(error?.stack ?? '');
  const line = at ? Number(at[1]) - LINES_BEFORE : 0;
  const place = line > 0 ? `line ${line}${at[2] ? `:${at[2]}` : ''}: ` : '';
  return place + (error instanceof Error ? `${error.name}: ${error.message}` : shown(error));
}

// ---- texts

export function json(value) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`${typeof value} cannot be written as JSON`);
  return text;
}

function shown(value) {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

export const pairs = (held) => Object.entries(held).map(([name, value]) => [name, String(value)]);

// The engine has no TextEncoder.
export function toUtf8(text) {
  const escaped = unescape(encodeURIComponent(text));
  return Uint8Array.from(escaped, (letter) => letter.charCodeAt(0));
}

export function fromUtf8(held) {
  let escaped = '';
  for (const byte of held) escaped += String.fromCharCode(byte);
  return decodeURIComponent(escape(escaped));
}

// ---- nothing that a script changes outlives its call

function freeze(value, seen = new Set()) {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) return;
  seen.add(value);
  Object.freeze(value);
  freeze(Object.getPrototypeOf(value), seen);
  for (const { value: held, get, set } of Object.values(Object.getOwnPropertyDescriptors(value))) {
    freeze(held, seen);
    freeze(get, seen);
    freeze(set, seen);
  }
}
function freezeAll(tools) {
  const roots = [globalThis, ...tools, Answer,
    function* () {}, async () => {}, async function* () {}, [][Symbol.iterator](), new Map().entries(), new Set().values(),
    ''[Symbol.iterator](), 'a'.matchAll(/a/g)];
  const frozen = new Set();
  for (const root of roots) freeze(root, frozen);
}
