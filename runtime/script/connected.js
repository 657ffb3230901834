// Scripts of nodes that list secrets or hosts.

import { send } from 'flow:function/http@0.1.0';
import { get as secret } from 'flow:function/secrets@0.1.0';
import { fromUtf8, handler, json, pairs, retry, toUtf8 } from './engine.js';

const secrets = {
  get(name) {
    try {
      return secret(String(name));
    } catch {
      throw new Error(`the node lists no secret \`${name}\`; name it in \`secrets\``);
    }
  },
};

// Sends a request and waits for the answer, whatever its status.
function request(url, { method = 'GET', headers = {}, body, timeoutMs } = {}) {
  const text = body === undefined ? '' : typeof body === 'string' ? body : json(body);
  const lines = pairs(headers);
  const says = ([name]) => name.toLowerCase() === 'content-type';
  if (body !== undefined && typeof body !== 'string' && !lines.some(says)) {
    lines.push(['content-type', 'application/json']);
  }
  const sent = {
    method: String(method),
    url: String(url),
    headers: lines,
    body: toUtf8(text),
    timeoutMs: timeoutMs == null ? undefined : Math.max(0, Math.trunc(Number(timeoutMs)) || 0),
  };
  let answer;
  try {
    answer = send(sent);
  } catch (error) {
    throw refusal(url, error?.payload ?? error);
  }
  const read = () => fromUtf8(answer.body);
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value])),
    text: read,
    json: () => JSON.parse(read()),
  };
}

// What may be there the next time is tried again.
function refusal(url, { tag, val }) {
  switch (tag) {
    case 'not-listed':
      return new Error(`the node lists no host of ${url}; name it in \`hosts\``);
    case 'invalid':
      return new Error(`${url} is no request that can be sent: ${val}`);
    case 'timeout':
      return retry(`no answer of ${url} within ${val} ms`);
    case 'unreachable':
      return retry(`${url} cannot be reached: ${val}`);
    case 'too-large':
      return new Error(`the request to ${url} or its answer has more than ${val} bytes`);
    case 'too-many':
      return new Error(`more than ${val} requests of one call`);
    default:
      return new Error(`${url} cannot be asked: ${tag ?? 'unknown'}`);
  }
}

export const handle = handler({ secrets, request });
