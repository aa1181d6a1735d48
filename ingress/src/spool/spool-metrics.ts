import { Counter, Gauge, type Registry } from '@email-events/core';
import type { DrainState } from './drain.ts';
import type { SpoolStatus } from './spool-store.ts';

const STATES: readonly DrainState[] = ['idle', 'waiting', 'draining'];
const PREFIX = 'email_events_ingress_spool';

/** The metrics of the spool of this process. */
export class SpoolMetrics {
  readonly #registry: Registry;
  readonly #spooled: Counter;
  readonly #drained: Counter;
  readonly #refusals: Counter<'code'>;
  readonly #damaged: Counter;
  readonly #setAside: Counter;
  /** What was last told of how many requests wait. */
  #told = 0;
  #toldNone: () => void = () => {};

  constructor(registry: Registry) {
    this.#registry = registry;
    const registers = [registry];
    const counter = (name: string, help: string) =>
      new Counter({ name: `${PREFIX}_${name}_total`, help, registers });
    this.#spooled = counter('spooled', 'Requests that were accepted into the spool.');
    this.#drained = counter('drained', 'Spooled requests that Kafka acknowledged.');
    this.#damaged = counter('damaged', 'Times that damage was found in files of the spool.');
    this.#setAside = counter('refused_records', 'Spooled requests that Kafka refuses for good.');
    this.#refusals = new Counter({
      name: `${PREFIX}_refusals_total`,
      help: 'Requests that the spool did not take, by code.',
      labelNames: ['code'],
      registers,
    });
  }

  spooled(): void {
    this.#spooled.inc();
  }

  drained(): void {
    this.#drained.inc();
  }

  refused(code: string): void {
    this.#refusals.inc({ code });
  }

  damaged(): void {
    this.#damaged.inc();
  }

  setAside(): void {
    this.#setAside.inc();
  }

  /** Resolves when the monitoring does not take it any more that requests wait, or after so long: a process that ends with an empty spool must not look as if it had left some. */
  async tellNoneLeft(atMostMs: number): Promise<void> {
    if (this.#told === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, atMostMs);
      this.#toldNone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tell(records: number): number {
    this.#told = records;
    if (records === 0) this.#toldNone();
    return records;
  }

  watch(
    spool: { readonly status: SpoolStatus; health(): unknown },
    drain: { readonly state: DrainState },
  ): void {
    /** `aggregator`: what it is of several workers. */
    const gauge = (
      name: string,
      help: string,
      read: () => number,
      aggregator: 'sum' | 'min' | 'max' = 'sum',
    ) =>
      new Gauge({
        name: `${PREFIX}_${name}`,
        help,
        aggregator,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge('up', '1 when the spool takes requests.', () => Number(spool.health() === undefined), 'min');
    gauge('records', 'Requests in the spool that wait for Kafka.', () => this.#tell(spool.status.records));
    gauge('bytes', 'Bytes of the requests in the spool.', () => spool.status.bytes);
    const oldestSeconds = () => {
      const { oldestAt } = spool.status;
      return oldestAt === undefined ? 0 : Math.max(0, (Date.now() - oldestAt) / 1_000);
    };
    gauge(
      'oldest_seconds',
      'Age of the oldest request in the spool; 0 when it is empty.',
      oldestSeconds,
      'max',
    );
    gauge(
      'set_aside',
      'Spools of the directory that were set aside for somebody to look at.',
      () => spool.status.setAside,
      // Each sees the whole directory.
      'max',
    );
    new Gauge({
      name: `${PREFIX}_drain`,
      help: '1 for what draining does: idle (nothing to drain), waiting (for Kafka), draining.',
      labelNames: ['state'],
      registers: [this.#registry],
      collect() {
        for (const state of STATES) this.set({ state }, Number(state === drain.state));
      },
    });
  }
}
