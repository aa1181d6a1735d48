import { Counter, Gauge, Histogram, type Registry } from '@email-events/core';
import type { Keeper } from './publishing.ts';
import { SourceActivity } from './status.ts';

/** Label values of requests that no source is known for. */
const NO_SOURCE = '-';

/** The metrics of the ingress. */
export class IngressMetrics {
  readonly #requests: Tallies;
  readonly #seconds: Histogram<'source'>;
  readonly #bytes: Tallies;
  readonly #records: Tallies;
  readonly #answered = new Map<string, Map<string, Answered>>();
  readonly #accepted = new Map<string, Accepted>();
  /** The same of each source, also for the last minutes. */
  readonly activity = new SourceActivity();

  constructor(
    registry: Registry,
    state: {
      inFlightBytes(): number;
      connections(): number;
      kafkaUp(): boolean;
      heavySources(): number;
    },
  ) {
    this.#requests = new Tallies(registry, {
      name: 'email_events_ingress_requests_total',
      help: 'Requests answered; code OK, HANDSHAKE, PROBE or why not. Status 0: nobody was left to answer.',
      labelNames: ['source', 'status', 'code'],
    });
    this.#seconds = new Histogram({
      name: 'email_events_ingress_request_seconds',
      help: 'From the headers of an accepted request to its answer.',
      labelNames: ['source'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    });
    this.#bytes = new Tallies(registry, {
      name: 'email_events_ingress_body_bytes_total',
      help: 'Bytes of the bodies of accepted requests.',
      labelNames: ['source'],
    });
    this.#records = new Tallies(registry, {
      name: 'email_events_ingress_published_records_total',
      help: 'Requests that Kafka acknowledged.',
      labelNames: ['source'],
    });
    gauge(
      registry,
      'email_events_ingress_in_flight_bytes',
      'Bytes of requests in the house.',
      state.inFlightBytes,
    );
    gauge(registry, 'email_events_ingress_connections', 'Open connections.', state.connections);
    gauge(
      registry,
      'email_events_ingress_kafka_up',
      '1 when Kafka takes records.',
      () => Number(state.kafkaUp()),
      'min',
    );
    gauge(
      registry,
      'email_events_ingress_heavy_sources',
      'Sources that are kept to other partitions than those that send less; 0 while there is room for all.',
      state.heavySources,
      'max',
    );
  }

  /** Any answer. */
  answered(source: string | undefined, status: number, code: string): void {
    const ofSource = this.#answered.get(source ?? NO_SOURCE);
    let answered = ofSource?.get(code);
    // A code has another status at another ESP, and a source another ESP once the configuration was read again.
    if (answered?.status !== status) {
      const labels = { source: source ?? NO_SOURCE, status: String(status), code };
      answered = { status, tally: this.#requests.of(labels) };
      if (ofSource) ofSource.set(code, answered);
      else this.#answered.set(source ?? NO_SOURCE, new Map([[code, answered]]));
    }
    answered.tally.added++;
    if (source !== undefined) this.activity.answered(source, code);
  }

  /** A request that is durable now, on top of `answered`. */
  accepted(source: string, bytes: number, seconds: number, keeper: Keeper): void {
    const accepted = this.#of(source);
    accepted.seconds.observe(seconds);
    accepted.bytes.added += bytes;
    if (keeper === 'kafka') accepted.records.added++;
  }

  /** A request that was accepted into the spool is in Kafka now. */
  drained(source: string): void {
    this.#of(source).records.added++;
  }

  #of(source: string): Accepted {
    let accepted = this.#accepted.get(source);
    if (!accepted) {
      accepted = {
        seconds: this.#seconds.labels(source),
        bytes: this.#bytes.of({ source }),
        records: this.#records.of({ source }),
      };
      this.#accepted.set(source, accepted);
    }
    return accepted;
  }
}

interface Answered {
  readonly status: number;
  readonly tally: Tally;
}

interface Accepted {
  readonly seconds: Histogram.Internal<'source'>;
  readonly bytes: Tally;
  readonly records: Tally;
}

interface Tally {
  readonly labels: { readonly [name: string]: string };
  /** Since the counter was read last. */
  added: number;
}

/**
 * A counter that is brought up to date when it is read. prom-client makes a text of the labels each time it counts, which for the three
 * counters of a request was 3 % of all memory that a request takes.
 */
class Tallies {
  readonly #tallies = new Map<string, Tally>();

  constructor(
    registry: Registry,
    { name, help, labelNames }: { name: string; help: string; labelNames: readonly string[] },
  ) {
    const tallies = this.#tallies;
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        for (const tally of tallies.values()) {
          this.inc(tally.labels, tally.added);
          tally.added = 0;
        }
      },
    });
  }

  of(labels: Tally['labels']): Tally {
    const key = Object.values(labels).join(' ');
    let tally = this.#tallies.get(key);
    if (!tally) {
      tally = { labels, added: 0 };
      this.#tallies.set(key, tally);
    }
    return tally;
  }
}

/** `aggregator`: what it is of several workers. */
function gauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number,
  aggregator: 'sum' | 'min' | 'max' = 'sum',
): void {
  new Gauge({
    name,
    help,
    aggregator,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
