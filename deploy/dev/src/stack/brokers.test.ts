import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  brokerCount,
  brokerPorts,
  clusterId,
  Quorum,
  replicationOn,
  requireSameCluster,
  wantedBrokers,
} from './brokers.ts';
import { brokerSettings } from './settings.ts';
import type { Component } from './stack.ts';

test('KAFKA_BROKERS says how many there are; one without it', () => {
  expect([{}, { KAFKA_BROKERS: '' }, { KAFKA_BROKERS: '3' }].map(wantedBrokers)).toEqual([1, 1, 3]);
  for (const wrong of ['0', '2', '7', '1.5', 'three', '-1']) {
    expect(() => wantedBrokers({ KAFKA_BROKERS: wrong })).toThrow(
      expect.objectContaining({ code: 'STACK_BROKERS_INVALID' }),
    );
  }
});

test('each broker has its advertised port', () => {
  expect(brokerCount({ brokers: 3, advertise: { kafka: [1, 2, 3] } })).toBe(3);
  expect(() => brokerCount({ brokers: 3, advertise: { kafka: [1] } })).toThrow(
    expect.objectContaining({ code: 'STACK_BROKERS_INVALID' }),
  );
});

test('the ports of the first broker have no number', () => {
  const names = brokerPorts(['kafka', 'kafkaController'], ['kafka', 'kafka-2']);
  expect(names).toEqual(['kafka', 'kafkaController', 'kafka-2', 'kafkaController-2']);
});

test('three brokers keep what was written when one is lost; one broker keeps it alone', () => {
  const of = (count: number) =>
    brokerSettings({
      nodeId: count,
      listeners: [{ name: 'PLAINTEXT', bind: 'host:1', advertised: 'host:1' }],
      interBroker: 'PLAINTEXT',
      controllers: ['host:11', 'host:12', 'host:13'].slice(0, count),
      logDir: '/log',
    });
  expect(of(1)).toMatchObject({
    'node.id': 1,
    'controller.quorum.voters': '1@host:11',
    'default.replication.factor': 1,
  });
  expect(of(3)).toMatchObject({
    'node.id': 3,
    'controller.quorum.voters': '1@host:11,2@host:12,3@host:13',
    listeners: 'PLAINTEXT://host:1,CONTROLLER://host:13',
    'default.replication.factor': 3,
    'min.insync.replicas': 2,
    'transaction.state.log.min.isr': 2,
  });
  expect([1, 3, 5].map((count) => replicationOn({ brokers: Array(count).fill('host:1') }))).toEqual([
    {},
    { replicationFactor: 3, minInsyncReplicas: 2 },
    { replicationFactor: 3, minInsyncReplicas: 2 },
  ]);
});

test('data of another number of brokers are refused', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'brokers-test-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const logDir = join(dataDir, 'log');
  // Nothing is there yet.
  requireSameCluster(logDir, clusterId('loc', 3));
  mkdirSync(logDir);
  writeFileSync(join(logDir, 'meta.properties'), `#\ncluster.id=${clusterId('loc', 3)}\nversion=1\n`);
  requireSameCluster(logDir, clusterId('loc', 3));
  expect(() => requireSameCluster(logDir, clusterId('loc', 1))).toThrow(
    expect.objectContaining({
      code: 'STACK_BROKERS_CHANGED',
      message: expect.stringContaining('start with KAFKA_BROKERS=3, or'),
    }),
  );
  writeFileSync(join(logDir, 'meta.properties'), `cluster.id=${clusterId('loc', 1)}\n`);
  expect(() => requireSameCluster(logDir, clusterId('loc', 3))).toThrow(/start with KAFKA_BROKERS=1, or/);
  writeFileSync(join(logDir, 'meta.properties'), 'cluster.id=MkU3OEVBNTcwNTJENDM2Qk\n');
  expect(() => requireSameCluster(logDir, clusterId('loc', 3))).toThrow(/start as many as before/);
  // Data from before there could be several brokers.
  expect(clusterId('loc', 1)).toBe('ZW1haWwtZXZlbnRzLWxvYw');
});

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
    tell: (now?: () => number) => quorum.ending(logDir, async () => serving, now),
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

test('one that was let go and closes nothing is not waited for much longer', async () => {
  const { brokers, tell, letGo } = cluster(3);
  let now = 0;
  const inVain = tell(() => now);
  letGo();
  now = 60_000;
  expect(await inVain()).toBe(false);
  for (const broker of brokers.slice(1)) broker.state = 'stopped';
  expect(await inVain()).toBe(false);
  now += 5_000;
  expect(await inVain()).toBe(false);
  now += 5_000;
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
