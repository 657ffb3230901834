// Scripts of nodes that list neither secrets nor hosts.

import { handler } from './engine.js';

const secrets = {
  get(name) {
    throw new Error(`the node lists no secret \`${name}\`; name it in \`secrets\``);
  },
};

function request(url) {
  throw new Error(`the node lists no host of ${url}; name it in \`hosts\``);
}

export const handle = handler({ secrets, request });
