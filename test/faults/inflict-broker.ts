import { setTimeout as delay } from 'node:timers/promises';
import type { Component } from '@email-events/dev/stack';
import type { TcpProxy } from '../harness/tcp-proxy.ts';
import type { Brokers } from './brokers.ts';
import type { Fault } from './schedule.ts';
import type { BrokerRole } from './targets.ts';

/** Does a fault to one or more of several brokers and undoes it. Resolves when all replicas are in sync again. */
export async function harmBrokers(
  brokers: Brokers,
  fault: Fault,
  harmed: (whom?: string) => void,
): Promise<void> {
  // Whoever is to be harmed is found before, and harmed while it is still so.
  if (fault.target === 'cluster') await harmCluster(brokers, fault, harmed);
  else {
    const broker = await brokers.find(fault.target as BrokerRole, fault.instance);
    harmed(brokers.component(broker).name);
    if (fault.kind === 'cut' || fault.kind === 'slow')
      await disturb(brokers.proxy(broker), fault, brokers.delayOf(broker));
    else await harmOne(brokers.component(broker), fault);
  }
  await brokers.inSync();
}

async function harmOne(component: Component, { kind, lastsMs }: Fault): Promise<void> {
  switch (kind) {
    case 'kill':
      await component.kill();
      await delay(lastsMs);
      return component.start();
    case 'restart':
      return component.restart();
    case 'pause':
      await component.pause();
      await delay(lastsMs);
      return component.resume();
    default:
      throw new Error(`${kind} cannot be done to a broker`);
  }
}

/** What happens on the way to a server, whatever server it is. `usualMs`: how late each byte is otherwise. */
export async function disturb(
  proxy: TcpProxy,
  { kind, lastsMs, delayMs }: Fault,
  usualMs = 0,
): Promise<void> {
  if (kind === 'cut') return proxy.cut();
  proxy.delay(delayMs);
  await delay(lastsMs);
  proxy.delay(usualMs);
}

async function harmCluster(
  brokers: Brokers,
  { kind, instance, lastsMs }: Fault,
  harmed: (whom?: string) => void,
): Promise<void> {
  harmed();
  if (kind === 'elect') {
    await brokers.electOthers(instance);
    await delay(lastsMs);
  } else if (kind === 'reassign') {
    const giveBack = await brokers.takeReplicas(instance);
    await delay(lastsMs);
    await giveBack();
  } else if (kind === 'outage') {
    const both = [instance, instance + 1].map((broker) => brokers.component(broker % brokers.count));
    await Promise.all(both.map((component) => component.kill()));
    await delay(lastsMs);
    // None of them answers before the other one runs.
    await Promise.all(both.map((component) => component.start()));
  } else throw new Error(`${kind} cannot be done to a cluster`);
}
