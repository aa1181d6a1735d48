import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '@email-events/core';
import { Spool, unpackHeaders } from '../spool.ts';
import { bodyOf } from './store.ts';

// Fills the disk under a spool: `node full-disk.fixture.ts DIR tmpfs|limit`. Prints as JSON what the spool did.
const [dir = '', kind] = process.argv.slice(2);
const spool = await Spool.start({
  dir: join(dir, 'spool'),
  maxBytes: 1e9,
  log: createLogger('full-disk', 'fatal'),
});
const taken: string[] = [];
const drained: string[] = [];

/** Takes all the space there is. */
function fill(): void {
  if (kind === 'limit') {
    // Node ignores SIGXFSZ, so a write over the limit is an error.
    limit('0');
    return;
  }
  const filler = openSync(join(dir, 'filler'), 'a');
  const piece = Buffer.alloc(4_096);
  try {
    for (;;) writeSync(filler, piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(filler);
  }
}

function giveBack(): void {
  if (kind === 'limit') limit('unlimited');
  else rmSync(join(dir, 'filler'));
}

function limit(bytes: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
}

async function append(): Promise<string> {
  const name = `r${taken.length}`;
  try {
    await spool.append({ value: bodyOf(name, 100_000), headers: { 'request-id': Buffer.from(name) } });
    taken.push(name);
    return 'taken';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

async function drain(): Promise<void> {
  for (let idle = 0; idle < 2; ) {
    const batch = await spool.next(10, 1e9);
    if (!batch) {
      idle++;
      // Longer than a spool that was given up needs to be found again.
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      continue;
    }
    drained.push(...batch.records.map(({ headers }) => String(unpackHeaders(headers)['request-id'])));
    await spool.settle(
      batch.spool,
      batch.records.map(({ seq }) => seq),
      [],
    );
  }
}

async function recovered(): Promise<boolean> {
  for (let i = 0; i < 200 && spool.health() !== undefined; i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return spool.health() === undefined;
}

for (let i = 0; i < 10; i++) await append();
fill();
const whileFull = [await append(), await append()];
const healthWhileFull = spool.health();
giveBack();
const recoveredBySpace = await recovered();
for (let i = 0; i < 10; i++) await append();
fill();
await append();
await drain();
const drainedWhileFull = [...drained];
giveBack();
const recoveredAgain = await recovered();
const lastOne = await append();
await drain();
await spool.close();
process.stdout.write(
  JSON.stringify({
    taken,
    drained,
    whileFull,
    healthWhileFull,
    recoveredBySpace,
    drainedWhileFull,
    recoveredAgain,
    lastOne,
  }),
);
