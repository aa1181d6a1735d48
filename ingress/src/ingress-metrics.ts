import { Counter, Gauge, Histogram, type Registry } from '@email-events/core';
import type { Keeper } from './publishing.ts';
import { SourceActivity } from './status.ts';

/** Label values of requests that no source is known for. */
const NO_SOURCE = '-';

/** The metrics of the ingress. It looks each label set up once, not for every request. */
export class IngressMetrics {
  readonly #requests: Counter<'source' | 'status' | 'code'>;
  readonly #seconds: Histogram<'source'>;
  readonly #bytes: Counter<'source'>;
  readonly #records: Counter<'source'>;
  readonly #counters = new Map<string, Counter.Internal>();
  readonly #accepted = new Map<string, Accepted>();
  /** The same of each source, also for the last minutes. */
  readonly activity = new SourceActivity();

  constructor(
    registry: Registry,
    state: {
      inFlightBytes(): number;
      connections(): Promise<number>;
      kafkaUp(): boolean;
      heavySources(): number;
    },
  ) {
    const registers = [registry];
    this.#requests = new Counter({
      name: 'email_events_ingress_requests_total',
      help: 'Requests answered; code OK, HANDSHAKE, PROBE or why not. Status 0: nobody was left to answer.',
      labelNames: ['source', 'status', 'code'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'email_events_ingress_request_seconds',
      help: 'From the headers of an accepted request to its answer.',
      labelNames: ['source'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#bytes = new Counter({
      name: 'email_events_ingress_body_bytes_total',
      help: 'Bytes of the bodies of accepted requests.',
      labelNames: ['source'],
      registers,
    });
    this.#records = new Counter({
      name: 'email_events_ingress_published_records_total',
      help: 'Requests that Kafka acknowledged.',
      labelNames: ['source'],
      registers,
    });
    gauge(
      registry,
      'email_events_ingress_in_flight_bytes',
      'Bytes of requests in the house.',
      state.inFlightBytes,
    );
    gauge(registry, 'email_events_ingress_connections', 'Open connections.', state.connections);
    gauge(registry, 'email_events_ingress_kafka_up', '1 when Kafka takes records.', () =>
      Number(state.kafkaUp()),
    );
    gauge(
      registry,
      'email_events_ingress_heavy_sources',
      'Sources that are kept to other partitions than those that send less; 0 while there is room for all.',
      state.heavySources,
    );
  }

  /** Any answer. */
  answered(source: string | undefined, status: number, code: string): void {
    const key = `${source ?? NO_SOURCE} ${status} ${code}`;
    let counter = this.#counters.get(key);
    if (!counter) {
      counter = this.#requests.labels(source ?? NO_SOURCE, String(status), code);
      this.#counters.set(key, counter);
    }
    counter.inc();
    if (source !== undefined) this.activity.answered(source, code);
  }

  /** A request that is durable now, on top of `answered`. */
  accepted(source: string, bytes: number, seconds: number, keeper: Keeper): void {
    const accepted = this.#of(source);
    accepted.seconds.observe(seconds);
    accepted.bytes.inc(bytes);
    if (keeper === 'kafka') accepted.records.inc();
  }

  /** A request that was accepted into the spool is in Kafka now. */
  drained(source: string): void {
    this.#of(source).records.inc();
  }

  #of(source: string): Accepted {
    let accepted = this.#accepted.get(source);
    if (!accepted) {
      accepted = {
        seconds: this.#seconds.labels(source),
        bytes: this.#bytes.labels(source),
        records: this.#records.labels(source),
      };
      this.#accepted.set(source, accepted);
    }
    return accepted;
  }
}

interface Accepted {
  readonly seconds: Histogram.Internal<'source'>;
  readonly bytes: Counter.Internal;
  readonly records: Counter.Internal;
}

function gauge(registry: Registry, name: string, help: string, read: () => number | Promise<number>): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      this.set(await read());
    },
  });
}
