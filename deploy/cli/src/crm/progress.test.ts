import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ListingProgress, type ListingStart } from './progress.ts';

const START: ListingStart = {
  ...{ consumer: 'sink-crm', account: 'one', startedAt: Date.UTC(2026, 10, 30) },
  committed: [[0, '17']],
};

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'crm-progress-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'deep', 'listing.ndjson');
  const open = async (start: Partial<ListingStart> = {}, fresh = false) => {
    const taken: string[] = [];
    const progress = await ListingProgress.open(
      file,
      { ...START, ...start },
      { fresh, take: ({ recipient, since }, at) => taken.push(`${recipient} ${since} ${at}`) },
    );
    return { progress, taken };
  };
  return { file, open };
}

const page = (recipient: string, next?: string) => ({ contacts: [{ recipient, since: 5 }], next });

test('a run goes on where the one before ended, with what that one had', async () => {
  const { file, open } = setUp();
  const first = await open();
  expect(first.progress).toMatchObject({ next: undefined, isWhole: false, resumed: 0 });
  first.progress.add(page('a@example.com', 'two'), 100);
  first.progress.add(page('b@example.com', 'three'), 200);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const second = await open({ startedAt: START.startedAt + 3_600_000, committed: [[0, '99']] });
  expect(second.taken).toEqual(['a@example.com 5 100', 'b@example.com 5 200']);
  // What counts is when the listing began.
  expect(second.progress).toMatchObject({ next: 'three', isWhole: false, resumed: 2, start: START });
  second.progress.add(page('c@example.com'), 300);
  const third = await open();
  expect(third.progress).toMatchObject({ isWhole: true, resumed: 3 });
  third.progress.remove();
  expect((await open()).progress.resumed).toBe(0);
});

test('a page that was being written when the run was killed is listed again', async () => {
  const { file, open } = setUp();
  const { progress } = await open();
  progress.add(page('a@example.com', 'two'), 100);
  const whole = readFileSync(file, 'utf8');
  appendFileSync(file, whole.split('\n')[1]?.slice(0, 30) ?? '');
  const second = await open();
  expect(second.progress).toMatchObject({ next: 'two', resumed: 1 });
  second.progress.add(page('b@example.com'), 200);
  expect((await open()).taken).toEqual(['a@example.com 5 100', 'b@example.com 5 200']);
});

test('a last page whose line has no end is one all the same', async () => {
  const { file, open } = setUp();
  const { progress } = await open();
  progress.add(page('a@example.com', 'two'), 100);
  appendFileSync(
    file,
    JSON.stringify({ at: 200, next: 'three', contacts: [{ recipient: 'b@example.com', since: 5 }] }),
  );
  const second = await open();
  second.progress.add(page('c@example.com'), 300);
  expect((await open()).taken).toEqual(['a@example.com 5 100', 'b@example.com 5 200', 'c@example.com 5 300']);
});

test.each([
  ['of another CRM', { consumer: 'sink-crm-news' }],
  ['of another account', { account: 'two' }],
  ['a day old', { startedAt: START.startedAt + 24 * 3_600_000 }],
])('one that is %s begins anew', async (_, start) => {
  const { open } = setUp();
  const { progress } = await open();
  progress.add(page('a@example.com', 'two'), 100);
  const second = await open(start);
  expect(second.taken).toEqual([]);
  expect(second.progress).toMatchObject({ next: undefined, resumed: 0, start: { ...START, ...start } });
  expect((await open(start)).progress.resumed).toBe(0);
});

test('--fresh begins anew; over an empty file, and one whose first line was being written, every run does', async () => {
  const { file, open } = setUp();
  const { progress } = await open();
  progress.add(page('a@example.com', 'two'), 100);
  expect((await open({}, true)).taken).toEqual([]);
  const whole = readFileSync(file, 'utf8');
  for (const left of ['', whole.slice(0, 40)]) {
    writeFileSync(file, left);
    expect((await open()).progress.resumed).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(whole);
  }
});

test.each([
  ['text', 'ada@example.com\nbob@example.com\n'],
  ['other JSON', '{"version":1,"name":"package"}\n'],
  ['a lone line feed', '\n'],
  ['bytes', '\u0000{"version":1,"consumer":"sink-crm"}'],
])('a file of somebody else, %s, is refused and stays', async (_, content) => {
  const { file, open } = setUp();
  mkdirSync(dirname(file));
  writeFileSync(file, content);
  for (const fresh of [false, true])
    await expect(open({}, fresh)).rejects.toMatchObject({
      code: 'CLI_USAGE',
      message: expect.stringContaining('it is no listing of crm reconcile'),
    });
  expect(readFileSync(file, 'utf8')).toBe(content);
});

test('nor is a folder written over', async () => {
  const { file, open } = setUp();
  mkdirSync(file, { recursive: true });
  await expect(open({}, true)).rejects.toMatchObject({ code: 'CLI_USAGE' });
  expect(statSync(file).isDirectory()).toBe(true);
});

test('a place that cannot be written is told', async () => {
  const use = { fresh: false, take: () => {} };
  await expect(ListingProgress.open('/dev/null/listing', START, use)).rejects.toMatchObject({
    code: 'CLI_USAGE',
  });
});
