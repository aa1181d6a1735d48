import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepOldLogs, OLD_LOGS } from './old-logs.ts';

test('the logs of the last starts stay, the newest of them first, and no more than so many', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'old-logs-'));
  context.onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'logs', 'events.log');
  for (let start = 1; start <= OLD_LOGS + 3; start++) {
    keepOldLogs(file);
    writeFileSync(file, `start ${start}`);
  }
  const kept = readdirSync(join(folder, 'logs')).sort();
  expect(kept).toEqual(['events.log', ...[1, 2, 3, 4, 5].map((age) => `events.log.${age}`)]);
  expect(kept.map((name) => readFileSync(join(folder, 'logs', name), 'utf8'))).toEqual(
    [8, 7, 6, 5, 4, 3].map((start) => `start ${start}`),
  );
});
