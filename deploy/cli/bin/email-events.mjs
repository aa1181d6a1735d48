#!/usr/bin/env node
// `npx email-events …`: in a checkout with what contributors have, in the image what operators have. The command line needs a Node that runs TypeScript; an older one starts the project's own.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { COMPILE_CACHE, NODE, runUnderProjectNode } from './run-child.mjs';

const dev = new URL('../../dev/src/main.ts', import.meta.url);
const main = existsSync(dev) ? dev : new URL('../src/main.ts', import.meta.url);
if (process.features.typescript) {
  module.enableCompileCache(COMPILE_CACHE);
  await import(main.href);
} else if (existsSync(NODE)) {
  process.exitCode = await runUnderProjectNode([main.pathname, ...process.argv.slice(2)]);
} else {
  process.stderr.write('email-events is not installed yet: run npm ci, or npm start, which does it\n');
  process.exitCode = 1;
}
