import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../telemetry.ts';
import type { Lane } from './lane.ts';
import { IdleCommits, Lanes } from './lanes.ts';

class FakeLane {
  readonly partition: number;
  readonly id: number;
  private readonly events: string[];
  private readonly gate: { open?: Promise<void>; close?: Promise<void> };

  constructor(partition: number, id: number, events: string[], gate: FakeLane['gate']) {
    this.partition = partition;
    this.id = id;
    this.events = events;
    this.gate = gate;
  }

  async open(): Promise<void> {
    await this.gate.open;
    this.events.push(`open ${this.partition}#${this.id}`);
  }

  abandon(): void {
    this.events.push(`abandon ${this.partition}#${this.id}`);
  }

  async close(): Promise<void> {
    await this.gate.close;
    this.events.push(`close ${this.partition}#${this.id}`);
  }
}

function lanes(gates: { open?: Promise<void>; close?: Promise<void> }[] = []) {
  const events: string[] = [];
  let made = 0;
  const all = new Lanes(
    (partition) => {
      const gate = gates[made] ?? {};
      return new FakeLane(partition, made++, events, gate) as unknown as Lane;
    },
    createLogger('test', 'silent'),
  );
  return { all, events };
}

test('an assignment opens what is new, keeps what stays and closes what is gone', async () => {
  const { all, events } = lanes();
  all.assign([0, 1]);
  const [first, second] = await Promise.all([all.get(0), all.get(1)]);
  all.assign([1, 2]);
  expect(await all.get(1)).toBe(second);
  await all.get(2);
  await all.closeAll();
  expect(events).toContain('close 0#0');
  expect(events.filter((event) => event.startsWith('open'))).toEqual(['open 0#0', 'open 1#1', 'open 2#2']);
  expect(first).not.toBe(second);
});

test('a partition that comes back waits until its old lane is closed', async () => {
  const closing = Promise.withResolvers<void>();
  const { all, events } = lanes([{ close: closing.promise }]);
  await all.get(0);
  all.assign([]);
  all.assign([0]);
  const reopened = all.get(0);
  await new Promise(setImmediate);
  expect(events).toEqual(['open 0#0']);
  closing.resolve();
  await reopened;
  expect(events).toEqual(['open 0#0', 'close 0#0', 'open 0#1']);
});

test('a lane that does not open is closed, and the next one is asked', async () => {
  const { all, events } = lanes([{ open: Promise.reject(new Error('no')) }]);
  all.assign([0]);
  await expect(all.get(0)).rejects.toThrow('no');
  await all.drop(0);
  expect(await all.get(0)).toMatchObject({ id: 1 });
  expect(events).toEqual(['close 0#0', 'open 0#1']);
});

test('the end waits for lanes that were closed before', async () => {
  const closing = Promise.withResolvers<void>();
  const { all } = lanes([{ close: closing.promise }]);
  await all.get(0);
  all.assign([]);
  let ended = false;
  const end = all.closeAll().then(() => {
    ended = true;
  });
  await new Promise(setImmediate);
  expect(ended).toBe(false);
  closing.resolve();
  await end;
});

test('asking for an existing lane opens none', async () => {
  const { all, events } = lanes();
  expect(all.existing(0)).toBeUndefined();
  const lane = await all.get(0);
  expect(await all.existing(0)).toBe(lane);
  await all.drop(0);
  expect(all.existing(0)).toBeUndefined();
  expect(events).toEqual(['open 0#0', 'close 0#0']);
});

test('a lane that is closed while it opens is abandoned, and the one after it is not', async () => {
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { all, events } = lanes([{ open: first.promise }, { open: second.promise }]);
  all.assign([0]);
  await new Promise(setImmediate);
  expect(all.isOpening()).toBe(true);
  all.assign([]);
  all.assign([0]);
  expect(events).toEqual(['abandon 0#0']);
  first.reject(new Error('let go'));
  await new Promise(setImmediate);
  expect(all.isOpening()).toBe(true);
  second.resolve();
  expect(await all.get(0)).toMatchObject({ id: 1 });
  expect(all.isOpening()).toBe(false);
  expect(events).toEqual(['abandon 0#0', 'close 0#0', 'open 0#1']);
});

test('at the end, lanes that are being opened are not waited for until they are', async () => {
  const opening = Promise.withResolvers<void>();
  const { all, events } = lanes([{ open: opening.promise }]);
  all.assign([0]);
  await new Promise(setImmediate);
  all.abandonOpening();
  expect(events).toEqual(['abandon 0#0']);
  opening.reject(new Error('let go'));
  await all.closeAll();
  expect(events).toEqual(['abandon 0#0', 'close 0#0']);
});

describe('idle commits', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function idleCommits() {
    const commits: [number, number][] = [];
    const idle = new IdleCommits(async (partition, nextOffset) => {
      commits.push([partition, nextOffset]);
    }, 100);
    return { idle, commits };
  }

  test('a partition that went quiet commits the newest position once', () => {
    const { idle, commits } = idleCommits();
    idle.passed(0, 5);
    idle.passed(1, 7);
    vi.advanceTimersByTime(60);
    idle.passed(0, 6);
    expect(commits).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(commits).toEqual([
      [0, 6],
      [1, 7],
    ]);
  });

  test('records, another owner and the end call it off', () => {
    const { idle, commits } = idleCommits();
    idle.passed(0, 5);
    idle.forget(0);
    idle.passed(1, 5);
    idle.passed(2, 5);
    idle.forgetAll();
    vi.advanceTimersByTime(1_000);
    expect(commits).toEqual([]);
    idle.passed(0, 9);
    vi.advanceTimersByTime(1_000);
    expect(commits).toEqual([[0, 9]]);
  });
});
