import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LogFollower, readLogs } from './service-logs.ts';

const AT = Date.UTC(2026, 0, 31, 8);
const line = (minute: number, msg: string) =>
  `${JSON.stringify({ level: 'info', time: new Date(AT + minute * 60_000).toISOString(), msg })}\n`;
const names = (lines: readonly { service: string; text: string; fields: unknown }[]) =>
  lines.map(({ service, text, fields }) => `${service} ${fields ? (fields as { msg: string }).msg : text}`);

function folderOf(files: { readonly [name: string]: string }, onTestFinished: (work: () => void) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'service-logs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

test('lines of several services come in the order of their times, with those of earlier starts', async ({
  onTestFinished,
}) => {
  const folder = folderOf(
    {
      'ingress.log.1': line(0, 'first start'),
      'ingress.log': `${line(3, 'second start')}TypeError: x\n    at y\n${line(5, 'third start')}`,
      'events.log': line(1, 'a') + line(4, 'b'),
      'other.log': line(2, 'not asked for'),
    },
    onTestFinished,
  );
  const services = ['ingress', 'events', 'lookup'];
  const all = await readLogs({ folder, services, since: undefined, lines: 100 });
  expect(names(all)).toEqual([
    ...[
      'ingress first start',
      'events a',
      'ingress second start',
      'ingress TypeError: x',
      'ingress     at y',
    ],
    ...['events b', 'ingress third start'],
  ]);
  expect(names(await readLogs({ folder, services, since: AT + 4 * 60_000, lines: 100 }))).toEqual([
    'events b',
    'ingress third start',
  ]);
  expect(names(await readLogs({ folder, services, since: undefined, lines: 1 }))).toEqual([
    'ingress third start',
  ]);
});

test('a long log takes no more than what is shown of it', async ({ onTestFinished }) => {
  const text = Array.from({ length: 5_000 }, (_, i) => line(i, `line ${i}`)).join('');
  const folder = folderOf({ 'events.log': text }, onTestFinished);
  const lines = await readLogs({ folder, services: ['events'], since: undefined, lines: 10 });
  expect(names(lines)).toEqual(Array.from({ length: 10 }, (_, i) => `events line ${4_990 + i}`));
});

test('followed, a log tells what is written later, whole lines only, over a start that begins it anew', ({
  onTestFinished,
}) => {
  const folder = folderOf({ 'events.log': line(0, 'before') }, onTestFinished);
  const file = join(folder, 'events.log');
  const follower = new LogFollower({ folder, services: ['events', 'ingress'] });
  onTestFinished(() => follower.close());
  expect(follower.next()).toEqual([]);
  const whole = line(1, 'one ü');
  appendFileSync(file, whole.slice(0, 20));
  expect(follower.next()).toEqual([]);
  appendFileSync(file, whole.slice(20));
  writeFileSync(join(folder, 'ingress.log'), line(0, 'begins'));
  expect(names(follower.next())).toEqual(['ingress begins', 'events one ü']);
  appendFileSync(file, line(2, 'last of the old'));
  renameSync(file, `${file}.1`);
  writeFileSync(file, line(3, 'first of the new'));
  expect(names(follower.next())).toEqual(['events last of the old', 'events first of the new']);
});
