import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { counted } from '@email-events/core/wording';
import { StackError } from './errors.ts';
import {
  BROKER_NAMES,
  type BrokerName,
  type BrokerPort,
  type Component,
  type PortName,
  type StackOptions,
} from './stack.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** How many brokers the variable KAFKA_BROKERS wants; 1 without it. @throws StackError STACK_BROKERS_INVALID */
export function wantedBrokers({ KAFKA_BROKERS: wanted }: Environment): number {
  return wanted ? countOf(Number(wanted), `KAFKA_BROKERS=${wanted}`) : 1;
}

/**
 * How many brokers a start is to have.
 * @throws StackError STACK_BROKERS_INVALID, also if there are not as many advertised ports
 */
export function brokerCount({ brokers = 1, advertise }: Pick<StackOptions, 'brokers' | 'advertise'>): number {
  const count = countOf(brokers, counted(brokers, 'broker'));
  if (advertise && advertise.kafka.length !== count) {
    const ports = counted(advertise.kafka.length, 'advertised port');
    const what = `${ports} for ${counted(count, 'broker')}: each needs one`;
    throw new StackError('STACK_BROKERS_INVALID', what);
  }
  return count;
}

/** An even number would need as many running brokers as the next odd one, and survive no more. */
function countOf(count: number, said: string): number {
  if ([1, 3, 5].includes(count)) return count;
  throw new StackError('STACK_BROKERS_INVALID', `${said}: must be 1, 3 or 5`);
}

export function brokerNames(count: number): readonly BrokerName[] {
  return BROKER_NAMES.slice(0, count);
}

/** Node ids count from 1. */
export function nodeIdOf(broker: BrokerName): number {
  return BROKER_NAMES.indexOf(broker) + 1;
}

/** The one component whose name is that of all of Kafka is the first broker. */
export function isBroker(name: string): name is BrokerName {
  return BROKER_NAMES.some((broker) => broker === name);
}

/** Name of a broker's port: that of the first broker has no number. */
export function portName(port: BrokerPort, broker: BrokerName): PortName {
  const [, number] = broker.split('-');
  return number === undefined ? port : (`${port}-${number}` as PortName);
}

/** Names of so many ports of each broker. */
export function brokerPorts(ports: readonly BrokerPort[], brokers: readonly BrokerName[]): PortName[] {
  return brokers.flatMap((broker) => ports.map((port) => portName(port, broker)));
}

/** `Stack.proxied.kafka`. */
export function proxiedPorts(
  ports: Readonly<Record<PortName, number>>,
  brokers: readonly BrokerName[],
): number[] {
  return brokers.map((broker) => ports[portName('kafkaProxied', broker)]);
}

/**
 * Settings of the pipeline's topics that go with so many brokers: from three on, records survive the loss of one. Nothing for
 * fewer, where the configuration's own defaults fit.
 */
export function replicationOn({ brokers }: { readonly brokers: readonly string[] }) {
  return brokers.length >= 3 ? { replicationFactor: 3, minInsyncReplicas: 2 } : {};
}

/**
 * The id of a cluster says how many brokers it has, in Kafka's spelling of a UUID: data of three are not data of one.
 * @param place three letters that differ where the data are laid out otherwise
 */
export function clusterId(place: string, count: number): string {
  const text = `email-events-${count === 1 ? place : `${place.slice(0, 2)}${count}`}`;
  return Buffer.from(text).toString('base64url');
}

/** Number of brokers that clusterId put into the id; undefined: clusterId did not make it. */
function brokersOf(id: string): number | undefined {
  const last = /^email-events-..(.)$/.exec(Buffer.from(id, 'base64url').toString())?.[1];
  if (last === undefined) return undefined;
  return /\d/.test(last) ? Number(last) : 1;
}

/**
 * Every voter for a controller must know all the others from the beginning; started anew with more or fewer,
 * brokers without data could outvote the one that has them.
 * @throws StackError STACK_BROKERS_CHANGED if the folder has data of another number of brokers
 */
export function requireSameCluster(logDir: string, id: string): void {
  const file = join(logDir, 'meta.properties');
  if (!existsSync(file)) return;
  const found = /^cluster\.id=(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  if (found === id) return;
  const before = brokersOf(found ?? '');
  const same = before === undefined ? 'as many as before (KAFKA_BROKERS)' : `with KAFKA_BROKERS=${before}`;
  // Without Kafka's part, what the others hold would refer to records that are not there.
  const advice = `start ${same}, or with other data (EMAIL_EVENTS_HOME=FOLDER)`;
  throw new StackError(
    'STACK_BROKERS_CHANGED',
    `${dirname(file)} is of another number of brokers: ${advice}`,
  );
}

/** File that a broker writes when it has closed its data, and removes when it opens them. */
const CLOSED = '.kafka_cleanshutdown';
/** Closing data takes a second; one of five runs of three brokers was seen to neither serve nor close until its deadline, once there was no controller. */
const CLOSING_MS = 8_000;
/**
 * The brokers of a cluster, each of which is a controller as well. One that is told to end asks the active controller first,
 * and there is none unless most of them run; it then asks for minutes. And the last active controller waits for five
 * seconds for another one to take over. So when the brokers stop together, all get permission at nearly the same time, and
 * the last one is left with a wait that leads to nothing.
 */
export class Quorum {
  readonly #size: number;
  readonly #brokers: Pick<Component, 'state'>[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  add(broker: Pick<Component, 'state'>): void {
    this.#brokers.push(broker);
  }

  /**
   * Called when a broker is told to end. The answer says, whenever it is asked, whether waiting for it leads to nothing.
   * @param serves whether the broker answers its clients, which it does until the controller permits it to stop
   */
  ending(
    logDir: string,
    serves: () => Promise<boolean>,
    now: () => number = () => performance.now(),
  ): () => Promise<boolean> {
    if (this.#size === 1) return async () => false;
    const lostBefore = this.#lost();
    let lostAt: number | undefined;
    return async () => {
      if (lostBefore) return true;
      if (!this.#lost()) return false;
      lostAt ??= now();
      return now() - lostAt > CLOSING_MS || existsSync(join(logDir, CLOSED)) || (await serves());
    };
  }

  #lost(): boolean {
    const active = this.#brokers.filter(({ state }) => state === 'running' || state === 'starting');
    return active.length <= this.#size / 2;
  }
}
