import { Counter, Gauge, Histogram, type Logger, type Registry } from '@email-events/core';
import { deadLetterReport } from '../dead-letters.ts';
import type { EventsContext, MeasuredStage, RestoreListener } from './events-stage.ts';

/**
 * Metrics of the partitions that this instance has. They are read off the open stages when they are scraped, so each partition is
 * reported by the instance that has it and by no other: sums over instances are right.
 */
export function measureEvents(
  metrics: Registry,
  log: Logger,
): Pick<EventsContext, 'openStages' | 'restores' | 'deadLetters'> {
  const openStages = new Set<MeasuredStage>();
  readOff(metrics, openStages, {
    kind: Counter,
    name: 'email_events_events_total',
    help: 'Events by partition and result since the beginning of the partition: received = emitted + duplicate + dead_letter + erased.',
    labels: ['result'],
    read: ({ totals: { received, emitted, duplicates, deadLettered, erased } }) => [
      [{ result: 'received' }, received],
      [{ result: 'emitted' }, emitted],
      [{ result: 'duplicate' }, duplicates],
      [{ result: 'dead_letter' }, deadLettered],
      [{ result: 'erased' }, erased],
    ],
  });
  readOff(metrics, openStages, {
    kind: Counter,
    name: 'email_events_events_handed_over_total',
    help: 'Events by partition that were found in the records that normalize has counted: as many as email_events_normalize_items_total has normalized.',
    labels: [],
    read: ({ handedOver }) => [[{}, handedOver]],
  });
  readOff(metrics, openStages, {
    kind: Gauge,
    name: 'email_events_state_entries',
    help: 'Entries of the local store by partition: event ids in the dedupe window, recipients with a state.',
    labels: ['kind'],
    read: ({ size: { ids, recipients } }) => [
      [{ kind: 'id' }, ids],
      [{ kind: 'recipient' }, recipients],
    ],
  });
  readOff(metrics, openStages, {
    kind: Gauge,
    name: 'email_events_state_bytes',
    help: 'Size of the local store by partition.',
    labels: [],
    read: ({ size: { bytes } }) => [[{}, bytes]],
  });
  return { openStages, restores: restoreMeasures(metrics, log), deadLetters: deadLetterReport(metrics, log) };
}

/** A restore logs how far it is this often. */
const LOG_EVERY_MS = 10_000;

function restoreMeasures(metrics: Registry, log: Logger): RestoreListener {
  const seconds = new Histogram({
    name: 'email_events_restore_seconds',
    help: 'Time to open the store of a partition and to read its changelogs to their end.',
    buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800],
    registers: [metrics],
  });
  const records = new Counter({
    name: 'email_events_restored_records_total',
    help: 'Changelog records read to restore stores.',
    registers: [metrics],
  });
  const remaining = new Gauge({
    name: 'email_events_restore_remaining_offsets',
    help: 'Changelog offsets that a restore under way has still to read; absent when none is.',
    labelNames: ['partition'],
    registers: [metrics],
  });
  const discarded = new Counter({
    name: 'email_events_stores_discarded_total',
    help: 'Local stores that could not be trusted and were made anew from the changelog.',
    registers: [metrics],
  });
  const running = new Map<number, { records: number; loggedAt: number }>();
  return {
    progress: (partition, progress) => {
      const before = running.get(partition) ?? { records: 0, loggedAt: performance.now() };
      records.inc(Math.max(0, progress.records - before.records));
      remaining.set({ partition }, progress.remaining);
      const isDue = performance.now() - before.loggedAt > LOG_EVERY_MS;
      if (isDue) log.info({ partition, ...progress }, 'state is being restored');
      const loggedAt = isDue ? performance.now() : before.loggedAt;
      running.set(partition, { records: progress.records, loggedAt });
    },
    discarded: (partition, reason) => {
      discarded.inc();
      log.warn({ code: 'STATE_UNUSABLE', partition, reason }, 'a store is discarded');
    },
    ended: (partition, tookSeconds) => {
      running.delete(partition);
      remaining.remove({ partition });
      if (tookSeconds !== undefined) seconds.observe(tookSeconds);
    },
  };
}

interface StageMetric {
  /** A counter goes on where another instance had the partition before: what it counts is in the store. */
  readonly kind: typeof Counter | typeof Gauge;
  readonly name: string;
  readonly help: string;
  /** Besides the partition. */
  readonly labels: readonly string[];
  read(stage: MeasuredStage): readonly (readonly [{ readonly [label: string]: string }, number])[];
}

function readOff(metrics: Registry, stages: ReadonlySet<MeasuredStage>, metric: StageMetric): void {
  const { kind: Kind, name, help, labels, read } = metric;
  new Kind({
    name,
    help,
    labelNames: ['partition', ...labels],
    registers: [metrics],
    collect() {
      this.reset();
      for (const stage of stages) {
        for (const [of, value] of read(stage)) this.inc({ partition: stage.partition, ...of }, value);
      }
    },
  });
}
