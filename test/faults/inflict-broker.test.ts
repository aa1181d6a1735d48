import { type Component, StackError, type StackErrorCode } from '@email-events/dev/stack';
import { expect, test } from 'vitest';
import type { TcpProxy } from '../harness/tcp-proxy.ts';
import { harmBrokers } from './inflict.ts';
import type { Brokers } from './several-brokers.ts';
import type { FaultKind, Target } from './targets.ts';

/** Three brokers that write down what is done to them; the leader is the second. `fail`: how their next starts end. */
function brokers(fail: StackErrorCode[] = []): { readonly brokers: Brokers; readonly log: string[] } {
  const log: string[] = [];
  const say = (what: string) => async () => void log.push(what);
  const start = (i: number) => async () => {
    log.push(`start ${i}`);
    const code = fail.shift();
    if (code) throw new StackError(code, 'as the test wants it');
  };
  const component = (i: number): Component =>
    ({
      name: `kafka-${i}`,
      ...{ kill: say(`kill ${i}`), start: start(i), restart: say(`restart ${i}`) },
      ...{ pause: say(`pause ${i}`), resume: say(`resume ${i}`) },
    }) as unknown as Component;
  const proxy = (i: number): TcpProxy =>
    ({
      cut: () => void log.push(`cut ${i}`),
      delay: (ms: number) => void log.push(`delay ${i} by ${ms}`),
    }) as unknown as TcpProxy;
  return {
    log,
    brokers: {
      ...{ count: 3, component, proxy, delayOf: () => 40 },
      find: async (role) => (role === 'leader' ? 1 : 2),
      inSync: say('in sync'),
      electOthers: async (which) => say(`elect ${which}`)(),
      takeReplicas: async (which) => {
        log.push(`take ${which}`);
        return say(`give back ${which}`);
      },
    },
  };
}

async function done(
  kind: FaultKind,
  target: Target,
  instance = 0,
  fail: StackErrorCode[] = [],
): Promise<string[]> {
  const { brokers: three, log } = brokers(fail);
  await harmBrokers(
    three,
    { ...{ index: 0, atMs: 0, kind, target, instance }, lastsMs: 1, delayMs: 70 },
    (whom) => void log.push(`harm ${whom ?? ''}`.trim()),
  );
  return log;
}

test('a broker is found by what it is, harmed, undone, and waited for until all replicas are in sync', async () => {
  expect(await done('kill', 'leader')).toEqual(['harm kafka-1', 'kill 1', 'start 1', 'in sync']);
  expect(await done('pause', 'controller')).toEqual(['harm kafka-2', 'pause 2', 'resume 2', 'in sync']);
  expect(await done('restart', 'broker')).toEqual(['harm kafka-2', 'restart 2', 'in sync']);
});

test('what happens on the way to a broker leaves it as late as it was', async () => {
  expect(await done('cut', 'leader')).toEqual(['harm kafka-1', 'cut 1', 'in sync']);
  expect(await done('slow', 'leader')).toEqual(['harm kafka-1', 'delay 1 by 70', 'delay 1 by 40', 'in sync']);
});

test('leaders and replicas are moved and given back; in an outage two are away at once', async () => {
  expect(await done('elect', 'cluster', 5)).toEqual(['harm', 'elect 5', 'in sync']);
  expect(await done('reassign', 'cluster', 4)).toEqual(['harm', 'take 4', 'give back 4', 'in sync']);
  expect(await done('outage', 'cluster', 5)).toEqual([
    ...['harm', 'kill 2', 'kill 0', 'start 2', 'start 0', 'in sync'],
  ]);
});

test('a broker that takes long to start is started again; one that dies while it starts is a failure', async () => {
  const slow = 'STACK_COMPONENT_TIMEOUT';
  expect(await done('kill', 'leader', 0, [slow, slow])).toEqual([
    ...['harm kafka-1', 'kill 1', 'start 1', 'start 1', 'start 1', 'in sync'],
  ]);
  await expect(done('kill', 'leader', 0, [slow, slow, slow])).rejects.toMatchObject({ code: slow });
  const died = 'STACK_COMPONENT_DIED';
  await expect(done('kill', 'leader', 0, [died])).rejects.toMatchObject({ code: died });
});

test('what cannot be done to a broker is no fault that was survived', async () => {
  await expect(done('join', 'broker')).rejects.toThrow('join cannot be done to a broker');
  await expect(done('kill', 'cluster')).rejects.toThrow('kill cannot be done to a cluster');
});
