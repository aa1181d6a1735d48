import {
  DELIVERED,
  isPseudonym,
  type Logger,
  pause,
  type Registry,
  type Sink,
  type SinkBatch,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import { type EmailEvent, eventTypeOf, type Suppression, topics } from '@email-events/schemas';
import PQueue from 'p-queue';
import { CrmChecks } from './checks.ts';
import { ENGAGEMENTS } from './config.ts';
import {
  type Engagement,
  type EngagementAdapter,
  type EngagementName,
  type EngageResult,
  type Instants,
  newestInstants,
} from './engagement.ts';
import { createEngagementMetrics, type EngagementMetrics } from './engagement-metrics.ts';
import { CrmError } from './errors.ts';
import { CrmGuard } from './guard.ts';

/** An event of one of the three, or a state of email.suppressions. */
export type EngagementRecord = EmailEvent | Suppression;

type EventRecord = SinkRecord<EngagementRecord>;

export interface EngagementSinkOptions {
  readonly adapter: EngagementAdapter;
  readonly name: string;
  /** Recipients written at a time. */
  readonly concurrency: number;
  readonly dryRun: boolean;
  readonly scopes?: readonly string[];
  readonly callLimit?: () => number | undefined;
  /** Whether suppressions wait for this CRM. Meanwhile nothing is written here. */
  readonly suppressionsWait: () => boolean;
  /** The service stops: what waits behind suppressions is left to the next owner. */
  readonly stopped: AbortSignal;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly now?: () => number;
  readonly breakAfter?: number;
  readonly breakMs?: number;
  readonly refusedMs?: { readonly first: number; readonly most: number };
  /** A recipient of whom the CRM fails so often, over so long, while it takes others, is given up. */
  readonly giveUp?: { readonly tries: number; readonly forMs: number };
}

/** Between two looks whether suppressions still wait. Milliseconds. */
const LOOK_MS = 50;
/** Erasures that are remembered, newest. */
const MOST_ERASED = 10_000;

interface Failing {
  times: number;
  readonly since: number;
  /** What the CRM had taken of others at the last failure. */
  taken: number;
}

/** Brings the fields of a CRM forward to when mail to a recipient was last delivered, opened and clicked. */
export function createEngagementSink(options: EngagementSinkOptions): Sink<EngagementRecord> {
  const { adapter, log, now = Date.now, dryRun } = options;
  const checks = new CrmChecks({
    ...{ adapter, now, isWaiting: () => false, wroteAt: () => guard.wroteAt },
    onEnd: (error) => guard.checked(error),
  });
  const guard: CrmGuard = new CrmGuard({
    ...{ log, now, breakAfter: options.breakAfter ?? 5, breakMs: options.breakMs ?? 5_000 },
    scopes: options.scopes ?? [],
    refusedMs: options.refusedMs ?? { first: 2_000, most: 60_000 },
    probe: () => checks.now(),
  });
  const metrics = createEngagementMetrics(options.metrics, options.name, {
    callLimit: options.callLimit ?? (() => undefined),
    waits: options.suppressionsWait,
  });
  const writer = new EngagementWriter(options, guard, metrics, now);
  return {
    name: 'crm-engagement',
    byRecord: true,
    sourceOf: ({ topic, value }) => (value && 'source' in value ? value.source : topic),
    async check(signal) {
      if (!dryRun) await checks.check(signal);
    },
    write: (batch, signal) => writer.write(batch, signal),
    async close() {
      checks.close();
      await adapter.close();
    },
  };
}

class EngagementWriter {
  private readonly options: EngagementSinkOptions;
  private readonly guard: CrmGuard;
  private readonly metrics: EngagementMetrics;
  private readonly now: () => number;
  private readonly queue: PQueue;
  /** Of a batch that is not done: it is tried again as a whole. */
  private readonly settled = new WeakSet<EventRecord>();
  private readonly failing = new WeakMap<EventRecord, Failing>();
  /** When recipients were erased. Epoch milliseconds. */
  private readonly erased = new Map<string, number>();
  private taken = 0;

  constructor(
    options: EngagementSinkOptions,
    guard: CrmGuard,
    metrics: EngagementMetrics,
    now: () => number,
  ) {
    this.options = options;
    this.guard = guard;
    this.metrics = metrics;
    this.now = now;
    this.queue = new PQueue({ concurrency: options.concurrency });
  }

  async write({ records }: SinkBatch<EngagementRecord>, signal: AbortSignal): Promise<SinkVerdict[]> {
    const { dryRun, log, stopped } = this.options;
    const open = records.filter((record) => !this.settled.has(record));
    // Before their events, wherever in the batch they are.
    for (const { topic, key, value, timestamp } of open)
      if (topic === topics.suppressions && value === null && key !== null) this.noteErased(key, timestamp);
    const recipients = this.newestOfEach(open);
    if (dryRun) {
      this.metrics.count('dry_run', recipients.size);
      log.info({ recipients: recipients.size }, 'dry run: no engagement sent');
      return records.map(() => DELIVERED);
    }
    const gone = AbortSignal.any([signal, stopped]);
    const verdicts = new Map<EventRecord, SinkVerdict>();
    const outcomes = await Promise.allSettled(
      [...recipients].map(([recipient, of]) =>
        this.queue.add(async () => {
          const verdict = await this.writeOne({ recipient, instants: of.instants }, of.records, gone);
          for (const record of of.records) {
            if (verdict.outcome === 'retry') verdicts.set(record, verdict);
            else this.settled.add(record);
          }
        }),
      ),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    const found = records.map((record) => verdicts.get(record) ?? DELIVERED);
    // A batch that is done is forgotten: after a crash it may come again.
    if (verdicts.size === 0) for (const record of records) this.settled.delete(record);
    return found;
  }

  /** One write for each recipient, of the newest instants; all that needs no write is settled. */
  private newestOfEach(open: readonly EventRecord[]): Map<string, Gathered> {
    const recipients = new Map<string, Gathered>();
    for (const record of open) {
      const event = this.eventOf(record);
      if (!event) {
        this.settled.add(record);
        continue;
      }
      const before = recipients.get(event.recipient);
      if (before) {
        before.instants = newestInstants(before.instants, event.instants);
        before.records.push(record);
      } else recipients.set(event.recipient, { instants: event.instants, records: [record] });
    }
    return recipients;
  }

  private eventOf({ topic, key, value, timestamp }: EventRecord): Engagement | undefined {
    const name = engagementOf(topic);
    if (name === undefined || !value || !('occurred_at' in value)) return undefined;
    const recipient = key ?? '';
    const outcome =
      'is_machine' in value && value.is_machine === true
        ? 'machine'
        : recipient === '' || isPseudonym(recipient) || (this.erased.get(recipient) ?? -1) >= timestamp
          ? 'erased'
          : undefined;
    if (outcome !== undefined) {
      this.metrics.count(outcome);
      return undefined;
    }
    // A clock that is ahead must not keep out all that follows.
    return { recipient, instants: { [name]: Math.min(value.occurred_at, value.received_at) } };
  }

  private noteErased(recipient: string, at: number): void {
    this.erased.delete(recipient);
    this.erased.set(recipient, at);
    const [oldest] = this.erased.keys();
    if (this.erased.size > MOST_ERASED && oldest !== undefined) this.erased.delete(oldest);
  }

  private async writeOne(
    engagement: Engagement,
    [first, ...others]: readonly EventRecord[],
    gone: AbortSignal,
  ): Promise<SinkVerdict> {
    const { adapter, suppressionsWait } = this.options;
    if (!first) return DELIVERED;
    while (!gone.aborted && suppressionsWait()) await pause(LOOK_MS, gone);
    if (gone.aborted) return STOPPED;
    try {
      const result = await this.guard.run({
        ...{ subject: first, suspect: this.failing.has(first), tells: isWritten },
        make: () => adapter.engage(engagement, gone),
      });
      if (isWritten(result)) this.taken += 1;
      this.metrics.count(result);
      this.metrics.count('coalesced', others.length);
      return DELIVERED;
    } catch (error) {
      if (gone.aborted) return STOPPED;
      if (!(error instanceof CrmError)) throw error;
      this.metrics.count(error.failure);
      if (error.failure === 'rejected' || this.isHopeless(first, error))
        return this.drop(error, others.length + 1);
      const { code, afterMs } = error;
      return { outcome: 'retry', code, ...(afterMs !== undefined && { afterMs }) };
    }
  }

  /** The CRM fails of this recipient, again and again, and takes others in between. */
  private isHopeless(first: EventRecord, { failure }: CrmError): boolean {
    if (failure === 'paused' || failure === 'throttled') return false;
    const { tries, forMs } = this.options.giveUp ?? { tries: 6, forMs: 30_000 };
    const failing = this.failing.get(first);
    if (!failing) {
      this.failing.set(first, { times: 1, since: this.now(), taken: this.taken });
      return false;
    }
    if (this.taken === failing.taken) return false;
    failing.times += 1;
    failing.taken = this.taken;
    return failing.times >= tries && this.now() - failing.since >= forMs;
  }

  /** Unlike a suppression it may be lost; that it is, is counted and said. */
  private drop({ code, message }: CrmError, events: number): SinkVerdict {
    this.metrics.count('dropped', events);
    this.options.log.warn({ code, events }, `engagement of a recipient is dropped: ${message}`);
    return DELIVERED;
  }
}

interface Gathered {
  instants: Instants;
  readonly records: EventRecord[];
}

const isWritten = (result: EngageResult) => result === 'written';

function engagementOf(topic: string): EngagementName | undefined {
  const type = eventTypeOf(topic);
  return ENGAGEMENTS.find((name) => name === type);
}

const STOPPED: SinkVerdict = { outcome: 'retry', code: 'SINK_UNAVAILABLE' };
