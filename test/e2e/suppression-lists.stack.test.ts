import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEvents, startNormalize } from '@email-events/processors';
import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, sendgridItem, startWorld } from './world.ts';

const file = fileScope();
let world: Pipeline;
beforeAll(async () => {
  world = await startWorld(file.scope);
  await world.start(startNormalize);
  await world.start(startEvents);
}, 120_000);
afterAll(() => file.end());

const suppressions = (...args: string[]) => world.command('suppressions', ...args);
/** Commands are processes, each of which starts anew. */
const TEST_MS = 300_000;
const WHY = ['--why', 'moved from Mailgun', '--by', 'maria'];

async function listFile(name: string, text: string): Promise<string> {
  const path = join(world.folder, name);
  await writeFile(path, text);
  return path;
}

/** What the command prints for people and programs: not JSON. */
async function exported(...args: string[]): Promise<string> {
  const running = world.startCommand('suppressions', 'export', ...args);
  const { code, out } = await running.finished;
  expect(code).toBe(0);
  return out;
}

test('a list is shown, imported for just the number shown, and changes nothing a second time', {
  timeout: TEST_MS,
}, async () => {
  const complaint = sendgridItem('spamreport', { email: 'known@example.com' });
  await world.produce(topics.raw, [rawMessage([complaint])]);
  await waitFor(
    'the complaint',
    async () => (await suppressions('get', 'known@example.com')).out.suppressed,
    60_000,
  );
  const lines = Array.from(
    { length: 50 },
    (_, n) => `R${n}@Example.com,550,5.1.1 no such user,"Fri, 31 Jan 2025 08:00:00 UTC"`,
  );
  const text = [
    'address,code,error,created_at',
    ...lines,
    lines[3],
    'known@example.com,550,x,',
    'no address,550,x,',
    '',
  ].join('\n');
  const list = await listFile('bounces.csv', text);

  const plan = {
    lines: 53,
    recipients: 51,
    repeated: 1,
    already: 1,
    erased: 0,
    change: 50,
    bad: 1,
    badLines: [{ line: 54, problem: 'no email address' }],
  };
  const shown = await suppressions('import', list, '--from', 'mailgun', ...WHY);
  expect([shown.code, shown.out]).toEqual([0, { dryRun: true, ...plan }]);
  expect((await suppressions('list', '--reason', 'manual')).out.total).toBe(0);
  const refused = await suppressions('import', list, '--from', 'mailgun', ...WHY, '--yes-change', '49');
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('CLI_CHANGE_DIFFERS')]);

  const done = await suppressions('import', list, '--from', 'mailgun', ...WHY, '--yes-change', '50');
  expect([done.code, done.out]).toMatchObject([
    0,
    { dryRun: false, ordered: 50, changed: 50, unchanged: 0, pending: 0 },
  ]);
  const { out } = await suppressions('get', 'r7@example.com');
  expect(out).toMatchObject({
    suppressed: true,
    reasons: [{ reason: 'manual', scope: 'all' }],
    actions: [
      {
        by: 'maria',
        why: 'moved from Mailgun (5.1.1 no such user, Fri, 31 Jan 2025 08:00:00 UTC)',
        changed: true,
      },
    ],
  });
  const again = await suppressions('import', list, '--from', 'mailgun', ...WHY);
  expect(again.out).toMatchObject({ dryRun: true, recipients: 51, already: 51, change: 0 });
  const nothing = await suppressions('import', list, '--from', 'mailgun', ...WHY, '--yes-change', '0');
  expect([nothing.code, nothing.out]).toMatchObject([0, { ordered: 0 }]);
});

test('what is exported has every recipient once, in its newest state, and can be imported', {
  timeout: TEST_MS,
}, async () => {
  const left = await listFile('left.csv', 'mail\nlifted@example.com\nann@example.com\n');
  const only = ['--column', 'email=mail', '--scope', 'news', ...WHY];
  expect((await suppressions('import', left, ...only, '--yes-change', '2')).code).toBe(0);
  expect((await suppressions('lift', 'lifted@example.com', '--why', 'wrote to us')).out.changed).toBe(1);

  const csv = await exported();
  const rows = csv
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((row) => row.split(',').slice(0, 3).join());
  const manual = Array.from({ length: 50 }, (_, n) => `r${n}@example.com,manual,all`);
  expect(rows.sort()).toEqual(
    [...manual, 'ann@example.com,manual,news', 'known@example.com,complaint,all'].sort(),
  );
  const own = await listFile('own.csv', csv);
  expect((await suppressions('import', own, '--from', 'email-events', ...WHY)).out).toMatchObject({
    recipients: 52,
    already: 51,
    change: 1,
  });

  const states = (await exported('--format', 'ndjson', '--all'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(states).toHaveLength(53);
  expect(states.find(({ recipient }) => recipient === 'lifted@example.com')).toMatchObject({
    suppressed: false,
    reasons: [],
  });
  expect(states.find(({ recipient }) => recipient === 'known@example.com')).toMatchObject({
    ...{ suppressed: true, reasons: [{ reason: 'complaint' }], revision: expect.any(Number) },
  });
  expect((await exported('--reason', 'complaint')).trimEnd().split('\n')).toHaveLength(2);
});
