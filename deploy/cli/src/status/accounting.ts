import { setTimeout as pause } from 'node:timers/promises';
import { counted } from '@email-events/core/wording';
import { type Sample, scrape, sumBy } from '../admin-port.ts';

/** What the services have counted, in requests and in events. All of it survives restarts, but for `published`. */
export interface Accounting {
  readonly sources: readonly SourceAccount[];
  /** Events that normalize has made, and those of them that `events` has read. Equal at rest. */
  readonly normalized: number;
  readonly handedOver: number;
  /** Since the data began: received = emitted + duplicates + dead letters + erased, always. */
  readonly received: number;
  readonly emitted: number;
  readonly duplicates: number;
  /** Of recipients who were erased. */
  readonly erased: number;
  readonly deadLetters: number;
  /** Nothing waits between ingress and `events`. */
  readonly atRest: boolean;
  /** What does not hold, in words. Empty: all of it holds, as far as it can be said when not at rest. */
  readonly wrong: readonly string[];
}

export interface SourceAccount {
  readonly name: string;
  /** Requests that Kafka acknowledged to the instances of the ingress since they started. */
  readonly published: number;
  /** Requests that normalize has read, and those among them that an operator put back. */
  readonly read: number;
  readonly putBack: number;
  /** What came of them. */
  readonly normalized: number;
  readonly deadLetters: number;
}

const LAG = 'email_events_consumer_lag';
const PARTITIONS = 'email_events_topic_partitions';
const READ = ['email.raw', 'email.internal.normalized'];
const SPOOL = 'email_events_ingress_spool_records';
const PUBLISHED = 'email_events_ingress_published_records_total';
const REQUESTS = 'email_events_normalize_requests_total';
const ITEMS = 'email_events_normalize_items_total';
const SINCE = 'email_events_normalize_counted_since_seconds';
const HANDED_OVER = 'email_events_events_handed_over_total';
const EVENTS = 'email_events_events_total';
/** Sources that normalize does not tell apart. */
export const OTHERS = '*';

/** What is read of several services is not of the same moment: what does not hold must not hold after this time either. */
const AGAIN_MS = 1_000;

/** Null: one of these services does not answer, or normalize or events is not among them. */
export async function readAccounting(
  adminUrls: readonly string[],
  read: (adminUrl: string) => Promise<readonly Sample[]> = scrape,
): Promise<Accounting | null> {
  const first = await readOnce(adminUrls, read);
  if (!first || first.wrong.length === 0) return first;
  await pause(AGAIN_MS);
  const second = await readOnce(adminUrls, read);
  if (!second) return null;
  return { ...second, wrong: second.wrong.filter((text) => first.wrong.includes(text)) };
}

async function readOnce(
  adminUrls: readonly string[],
  read: (adminUrl: string) => Promise<readonly Sample[]>,
): Promise<Accounting | null> {
  const instances = await Promise.all(adminUrls.map((url) => read(url).catch(() => null)));
  return accountingOf(instances);
}

/** Of the metrics of every instance of ingress, normalize and events; null among them: one does not answer. */
export function accountingOf(instances: readonly (readonly Sample[] | null)[]): Accounting | null {
  if (instances.includes(null)) return null;
  const samples = instances.flatMap((own) => own ?? []);
  if (!samples.some(({ name }) => name === EVENTS) || !samples.some(({ name }) => name === SINCE))
    return null;
  const totals = sumBy(samples, EVENTS, 'result');
  const sources = sourcesOf(samples);
  const figures = {
    sources,
    normalized: sum(sources.map(({ normalized }) => normalized)),
    handedOver: sumOf(samples, HANDED_OVER),
    received: totals.received ?? 0,
    emitted: totals.emitted ?? 0,
    duplicates: totals.duplicate ?? 0,
    deadLetters: totals.dead_letter ?? 0,
    erased: totals.erased ?? 0,
    atRest: isAtRest(samples),
  };
  return { ...figures, wrong: [...wrongOfEvents(samples), ...wrongAtRest(figures, countsAllOf(instances))] };
}

/** Of each partition, at any moment: its counts are of one transaction. */
function wrongOfEvents(samples: readonly Sample[]): string[] {
  const partitions = new Set(
    samples.flatMap(({ name, labels }) => (name === EVENTS ? [labels.partition ?? ''] : [])),
  );
  return [...partitions].flatMap((partition) => {
    const own = samples.filter(({ labels }) => labels.partition === partition);
    const {
      received = 0,
      emitted = 0,
      duplicate = 0,
      dead_letter = 0,
      erased = 0,
    } = sumBy(own, EVENTS, 'result');
    const missing = received - emitted - duplicate - dead_letter - erased;
    return missing === 0
      ? []
      : [`partition ${partition} of events: ${missing} of ${received} received events unaccounted for`];
  });
}

function wrongAtRest(
  { sources, normalized, handedOver, atRest }: Omit<Accounting, 'wrong'>,
  publishedIsCounted: boolean,
): string[] {
  if (!atRest) return [];
  const lost = normalized - handedOver;
  const events =
    lost === 0
      ? []
      : [
          lost > 0
            ? `${counted(lost, 'event')} of normalize did not arrive at events`
            : `${counted(-lost, 'event')} arrived at events beyond those that normalize made`,
        ];
  return publishedIsCounted ? [...events, ...wrongOfRequests(sources)] : events;
}

/**
 * Kafka acknowledged them, so they must have been read. More may have been: before the ingress was started anew, by an operator, or where an
 * acknowledgement was lost.
 */
function wrongOfRequests(sources: readonly SourceAccount[]): string[] {
  const toldApart = !sources.some(({ name }) => name === OTHERS);
  const all = {
    name: 'all sources',
    published: sum(sources.map(({ published }) => published)),
    read: sum(sources.map(({ read }) => read)),
    putBack: sum(sources.map(({ putBack }) => putBack)),
  };
  return (toldApart ? sources : [all]).flatMap(({ name, published, read, putBack }) => {
    const missing = published - (read - putBack);
    return missing > 0 ? [`${counted(missing, 'acknowledged request')} of ${name} never read`] : [];
  });
}

function sourcesOf(samples: readonly Sample[]): SourceAccount[] {
  const published = sumBy(samples, PUBLISHED, 'source');
  const via = (how: string) =>
    sumBy(
      samples.filter(({ labels }) => labels.via === how),
      REQUESTS,
      'source',
    );
  const as = (result: string) =>
    sumBy(
      samples.filter(({ labels }) => labels.result === result),
      ITEMS,
      'source',
    );
  const [first, putBack, normalized, deadLetters] = [
    ...[via('ingress'), via('replay')],
    ...[as('normalized'), as('dead_letter')],
  ];
  const names = new Set([published, first, putBack].flatMap((of) => Object.keys(of ?? {})));
  return [...names].sort().map((name) => ({
    name,
    published: published[name] ?? 0,
    read: (first?.[name] ?? 0) + (putBack?.[name] ?? 0),
    putBack: putBack?.[name] ?? 0,
    normalized: normalized?.[name] ?? 0,
    deadLetters: deadLetters?.[name] ?? 0,
  }));
}

/** All that these instances of the ingress have published was counted: none of them is older than the counting. */
function countsAllOf(instances: readonly (readonly Sample[] | null)[]): boolean {
  const since = Math.max(0, ...valuesOf(instances.flat(), SINCE));
  const ingresses = instances.filter((own) => own?.some(({ name }) => name === PUBLISHED));
  const starts = ingresses.map((own) => valuesOf(own ?? [], 'process_start_time_seconds')[0] ?? 0);
  return starts.every((start) => start > since);
}

/** Every partition of both topics is read to its end by one of these instances, and no spool holds anything. */
function isAtRest(samples: readonly Sample[]): boolean {
  const isRead = (topic: string) => {
    const own = samples.filter(({ labels }) => labels.topic === topic);
    const lags = valuesOf(own, LAG);
    return lags.every((lag) => lag === 0) && lags.length === Math.max(...valuesOf(own, PARTITIONS));
  };
  return READ.every(isRead) && sumOf(samples, SPOOL) === 0;
}

const valuesOf = (samples: readonly (Sample | null)[], name: string): number[] =>
  samples.flatMap((sample) => (sample?.name === name ? [sample.value] : []));

const sumOf = (samples: readonly Sample[], name: string): number => sum(valuesOf(samples, name));

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
