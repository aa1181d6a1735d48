import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Quorum } from './quorum.ts';
import type { Component } from './stack.ts';

function cluster(size: number) {
  const logDir = mkdtempSync(join(tmpdir(), 'quorum-test-'));
  onTestFinished(() => rmSync(logDir, { recursive: true }));
  const brokers = Array.from({ length: size }, () => ({ state: 'running' as Component['state'] }));
  const quorum = new Quorum(size);
  for (const broker of brokers) quorum.add(broker);
  let serving = true;
  return {
    brokers,
    /** The last of them is told to end. */
    tell: () => quorum.ending(logDir, async () => serving),
    letGo() {
      serving = false;
    },
    close: () => writeFileSync(join(logDir, '.kafka_cleanshutdown'), ''),
  };
}

test('a broker is waited for while most of them run, and then until its data are closed', async () => {
  const { brokers, tell, letGo, close } = cluster(3);
  const inVain = tell();
  brokers[0]!.state = 'stopped';
  letGo();
  expect(await inVain()).toBe(false);
  brokers[1]!.state = 'stopped';
  expect(await inVain()).toBe(false);
  close();
  expect(await inVain()).toBe(true);
});

test('one that was not let go before the others were gone is not waited for', async () => {
  const { brokers, tell } = cluster(3);
  const inVain = tell();
  brokers[0]!.state = 'stopped';
  expect(await inVain()).toBe(false);
  // Frozen, it takes no part.
  brokers[1]!.state = 'paused';
  expect(await inVain()).toBe(true);
});

test('nor is one that is told to end when the others are gone', async () => {
  const { brokers, tell, letGo } = cluster(3);
  for (const broker of brokers.slice(1)) broker.state = 'stopped';
  letGo();
  expect(await tell()()).toBe(true);
});

test('a lone broker ends in order', async () => {
  const { tell, close } = cluster(1);
  close();
  expect(await tell()()).toBe(false);
});
