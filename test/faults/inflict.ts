import { setTimeout as delay } from 'node:timers/promises';
import { type Component, StackError } from '@email-events/dev/stack';
import type { TcpProxy } from '../harness/tcp-proxy.ts';
import type { Instance } from './instance.ts';
import type { Fault } from './schedule.ts';
import type { Brokers } from './several-brokers.ts';
import {
  type BrokerRole,
  type FaultyService,
  isComponent,
  isOfBrokers,
  isUpgrade,
  type Target,
} from './targets.ts';
import { Turns } from './turns.ts';
import type { World } from './world.ts';

/** A fault that was done, with the moment from which its target is its old self again. */
export interface Inflicted {
  readonly fault: Fault;
  /** On the clock of performance.now(). */
  readonly harmedAt: number;
  readonly wellAt: number;
  /** False: its target was not in a state to be harmed in this way, or it was too late to begin. */
  readonly done: boolean;
}

/** How long a process may take to be there again before that counts as a failure. */
const BACK_MS = 120_000;
const POLL_MS = 20;

/**
 * Does faults and undoes them. Those of one target are done one after the other, even where the schedule has them overlap, since a
 * process that is starting cannot be frozen; different targets are harmed at the same time. Upgrades are one after the other too,
 * whatever they are of, and before the faults that wait for the same target.
 */
export class Inflictor {
  readonly #world: World;
  readonly #brokers: Brokers | undefined;
  readonly #mayBegin: () => Promise<boolean>;
  readonly #turns = new Turns<Target | 'upgrades'>();

  /**
   * @param brokers if there are several
   * @param mayBegin asked when it is the turn of a fault of several brokers, which may be long after its time
   */
  constructor(world: World, brokers: Brokers | undefined, mayBegin: () => Promise<boolean>) {
    this.#world = world;
    this.#brokers = brokers;
    this.#mayBegin = mayBegin;
  }

  /** `onHarm` is called when it happens. Rejects if the target does not come back. */
  inflict(fault: Fault, onHarm: (whom?: string) => void): Promise<Inflicted> {
    const { kind, target } = fault;
    const inflict = () => this.#inflict(fault, onHarm);
    if (!isUpgrade(kind)) return this.#turns.take(isOfBrokers(target) ? 'cluster' : target, inflict);
    return this.#turns.take('upgrades', async () => {
      await this.#world.beforeUpgrade();
      // On a slow machine many faults wait for their turn, and the traffic does not.
      return this.#turns.take(target, inflict, true);
    });
  }

  async #inflict(fault: Fault, onHarm: (whom?: string) => void): Promise<Inflicted> {
    let harmedAt = performance.now();
    const harmed = (whom?: string) => {
      harmedAt = performance.now();
      onHarm(whom);
    };
    const done = await this.#do(fault, harmed);
    return { fault, harmedAt, wellAt: performance.now(), done };
  }

  async #do(fault: Fault, harmed: (whom?: string) => void): Promise<boolean> {
    const { kind, target } = fault;
    if (isOfBrokers(target)) return this.#harmBrokers(fault, harmed);
    if (kind === 'cut' || kind === 'slow') return this.#disturb(fault, harmed);
    if (kind === 'join') return this.#join(fault, harmed);
    return isComponent(target)
      ? harmComponent(this.#world.stack.component(target), fault, harmed)
      : harmService(this.#instanceOf(target, fault.instance), fault, harmed);
  }

  async #harmBrokers(fault: Fault, harmed: (whom?: string) => void): Promise<boolean> {
    if (!this.#brokers) throw new Error('there is one broker only');
    if (!(await this.#mayBegin())) return false;
    await harmBrokers(this.#brokers, fault, harmed);
    return true;
  }

  async #disturb(fault: Fault, harmed: (whom?: string) => void): Promise<boolean> {
    const { target } = fault;
    const { brokers, ...others } = this.#world.proxies;
    const proxy = target === 'kafka' ? brokers[0] : others[target as keyof typeof others];
    if (!proxy) throw new Error(`there is no proxy before ${target}`);
    harmed();
    await disturb(proxy, fault);
    return true;
  }

  async #join({ target, lastsMs }: Fault, harmed: (whom?: string) => void): Promise<boolean> {
    harmed();
    const instance = await this.#world.join(target as FaultyService);
    await delay(lastsMs);
    await instance.stop();
    return true;
  }

  #instanceOf(service: FaultyService, number: number): Instance {
    const instances = this.#world.instancesOf(service);
    const instance = instances[number % instances.length];
    if (!instance) throw new Error(`there is no ${service}`);
    return instance;
  }
}

async function harmService(
  instance: Instance,
  { kind, lastsMs }: Fault,
  harmed: (whom?: string) => void,
): Promise<boolean> {
  await until(`${instance.name} runs`, () => instance.isRunning);
  harmed(instance.name);
  if (kind === 'pause') {
    instance.signal('SIGSTOP');
    await delay(lastsMs);
    instance.signal('SIGCONT');
    return true;
  }
  const signal = kind === 'kill' || kind === 'kill-upgrade' ? 'SIGKILL' : 'SIGTERM';
  const pid = isUpgrade(kind) ? instance.upgrade(signal) : instance.end(signal);
  await until(`${instance.name} runs again`, () => instance.isRunning && instance.pid !== pid);
  return pid !== undefined;
}

async function harmComponent(
  component: Component,
  { kind, lastsMs }: Fault,
  harmed: (whom?: string) => void,
): Promise<boolean> {
  harmed();
  if (kind === 'pause') {
    await component.pause();
    await delay(lastsMs);
    await component.resume();
    return true;
  }
  await component.kill();
  await delay(lastsMs);
  await startAgain(component);
  return true;
}

const STARTS = 3;

/**
 * Starts a component that was killed, and once more where a busy machine took longer than its deadline, which ends it: left
 * dead, it would be a fault that is never undone.
 */
async function startAgain(component: Component): Promise<void> {
  for (let start = 1; ; start++) {
    try {
      return await component.start();
    } catch (error) {
      const slow = error instanceof StackError && error.code === 'STACK_COMPONENT_TIMEOUT';
      if (!slow || start === STARTS) throw error;
    }
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + BACK_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${BACK_MS} ms: ${what}`);
    await delay(POLL_MS);
  }
}

/** Does a fault to one or more of several brokers and undoes it. Resolves when all replicas are in sync again. */
export async function harmBrokers(
  brokers: Brokers,
  fault: Fault,
  harmed: (whom?: string) => void,
): Promise<void> {
  // The broker in question is found first, and harmed while it still has that role.
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
      return startAgain(component);
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

/** Disturbs the way to any server. `usualMs`: how late each byte is otherwise. */
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
    await Promise.all(both.map(startAgain));
  } else throw new Error(`${kind} cannot be done to a cluster`);
}
