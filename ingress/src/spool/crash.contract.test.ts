import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bodyOf, drainAll, nameOf, openStore, temporaryFolder } from './testing/store.ts';

const WRITER = fileURLToPath(new URL('./testing/writer.fixture.ts', import.meta.url));
const KILLS = 10;

interface Writer {
  readonly name: string;
  readonly process: ChildProcess;
  readonly in: string[];
  readonly out: string[];
  /** Resolves when so many have been answered. */
  answered(count: number): Promise<void>;
}

function startWriter(dir: string, name: string, drains: boolean): Writer {
  const child = spawn(process.execPath, [WRITER, dir, name, drains ? 'drain' : 'keep'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const writer = { name, process: child, in: [] as string[], out: [] as string[] };
  let wanted: { count: number; resolve: () => void } | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [way, id = ''] = line.split(' ');
    if (way === 'in') writer.in.push(id);
    else writer.out.push(id);
    if (wanted && writer.in.length >= wanted.count) wanted.resolve();
  });
  const answered = (count: number) =>
    new Promise<void>((resolve, reject) => {
      wanted = { count, resolve };
      child.once('exit', () => reject(new Error(`the writer ended with ${writer.in.length} answered`)));
    });
  return { ...writer, answered };
}

async function kill({ process: child }: Writer): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

test('killed again and again while it spools and drains, two on one directory: nothing that was answered is missing', async (context) => {
  const dir = temporaryFolder(context);
  const writers: Writer[] = [];
  for (let i = 0; i < KILLS; i += 2) {
    const pair = [startWriter(dir, `k${i}`, false), startWriter(dir, `d${i}`, true)];
    writers.push(...pair);
    await Promise.all(pair.map((writer, n) => writer.answered(5 + (((i + n) * 37) % 160))));
    await Promise.all(pair.map(kill));
  }
  const { store, codes } = openStore(context, dir, 1e9);
  const left = drainAll(store, 100);
  for (const record of left) {
    const body = bodyOf(nameOf(record), record.value.length);
    expect(body.equals(record.value)).toBe(true);
  }
  expect(codes()).toEqual([]);
  const names = left.map(nameOf);
  // In order and without a gap, from what was not drained yet to what was written last.
  for (const { name } of writers) {
    const numbers = names.filter((id) => id.startsWith(`${name}-`)).map((id) => Number(id.split('-')[1]));
    const [first = 0] = numbers;
    expect(numbers).toEqual(numbers.map((_, i) => first + i));
  }
  const there = new Set([...names, ...writers.flatMap(({ out }) => out)]);
  const answered = writers.flatMap((writer) => writer.in);
  expect(answered.length).toBeGreaterThan(KILLS * 5);
  expect(answered.filter((id) => !there.has(id))).toEqual([]);
  // Both ways were taken.
  expect(names.length).toBeGreaterThan(0);
  expect(writers.some(({ out }) => out.length > 0)).toBe(true);
}, 60_000);
