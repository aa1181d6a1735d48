import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Quorum } from './quorum.ts';
import type { Component } from './stack.ts';

function cluster(size: number) {
  const logDir = mkdtempSync(join(tmpdir(), 'quorum-test-'));
  onTestFinished(() => rmSync(logDir, { recursive: true }));
  const clock = { now: 0 };
  const brokers = Array.from({ length: size }, () => ({ state: 'running' as Component['state'] }));
  const quorum = new Quorum(size, () => clock.now);
  for (const broker of brokers) quorum.add(broker);
  const close = () => writeFileSync(join(logDir, '.kafka_cleanshutdown'), '');
  return { logDir, clock, brokers, quorum, close };
}

test('a broker is waited for while most others run, and when they are gone until its data are closed', () => {
  const { logDir, brokers, quorum, close } = cluster(3);
  const inVain = quorum.ending(logDir);
  brokers[0]!.state = 'stopped';
  close();
  expect(inVain()).toBe(false);
  brokers[1]!.state = 'stopped';
  expect(inVain()).toBe(true);
});

test('one that was not let go in time is not waited for much longer', () => {
  const { logDir, clock, brokers, quorum } = cluster(3);
  const inVain = quorum.ending(logDir);
  for (const broker of brokers.slice(1)) broker.state = 'paused';
  expect(inVain()).toBe(false);
  clock.now = 5_001;
  expect(inVain()).toBe(true);
});

test('nobody lets go one that is told to end when most others are gone', () => {
  const { logDir, brokers, quorum } = cluster(3);
  for (const broker of brokers.slice(1)) broker.state = 'stopped';
  expect(quorum.ending(logDir)()).toBe(true);
});

test('a lone broker ends in order', () => {
  const { logDir, quorum, close } = cluster(1);
  close();
  expect(quorum.ending(logDir)()).toBe(false);
});
