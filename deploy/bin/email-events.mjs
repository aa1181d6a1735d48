#!/usr/bin/env node
// `npx email-events …`. The command line needs a Node that runs TypeScript; an older one starts the project's own.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { COMPILE_CACHE, NODE, runUnderProjectNode } from './run-child.mjs';

const main = new URL('../src/cli/main.ts', import.meta.url);
if (process.features.typescript) {
  module.enableCompileCache(COMPILE_CACHE);
  await import(main.href);
} else if (existsSync(NODE)) {
  process.exitCode = await runUnderProjectNode([main.pathname, ...process.argv.slice(2)]);
} else {
  process.stderr.write('email-events is not installed yet: run npm ci, or npm start, which does it\n');
  process.exitCode = 1;
}
