import type { OutputRecord, TransactionalWriter } from '@email-events/core';
import { type Encoder, type EventMark, partitionOf, topics } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { Order, SaidBySource } from '../suppressions/actions.ts';
import { eventsOfSource, type MarkedEvent } from './rows.ts';
import { type Marks, readMarks } from './topic.ts';

/** What is to be marked; the marks themselves are made when they are written. */
export interface MarkPlan {
  /** Ids of events that count now and would not, or the other way round. */
  readonly ids: ReadonlySet<string>;
  readonly byType: { readonly [type: string]: number };
  /** Events of the source and time that are so already. */
  readonly already: number;
}

const inRange =
  ({ source, from, to }: SaidBySource) =>
  (mark: EventMark): boolean =>
    mark.source === source && mark.received_at >= from && mark.received_at < to;

/** Events of a source that count. One that does not, whatever it was marked as, is left as it is. */
export async function planForged(from: Marks, clickhouse: ClickHouse, said: SaidBySource): Promise<MarkPlan> {
  const marks = await readMarks(from, inRange(said));
  const ids = new Set<string>();
  const byType: { [type: string]: number } = {};
  let already = 0;
  for await (const page of eventsOfSource(clickhouse, said))
    for (const { event_id, type } of page) {
      if ((marks.get(event_id)?.mark ?? 'none') !== 'none') already++;
      else {
        ids.add(event_id);
        byType[type] = (byType[type] ?? 0) + 1;
      }
    }
  return { ids, byType, already };
}

/** Events that were marked as forged. The mark has all that is needed of them, so ClickHouse is not asked. */
export async function planGenuine(from: Marks, said: SaidBySource): Promise<MarkPlan> {
  const ids = new Set<string>();
  const byType: { [type: string]: number } = {};
  let already = 0;
  for (const { event_id, type, mark } of (await readMarks(from, inRange(said))).values()) {
    if (mark === 'none') already++;
    if (mark !== 'forged') continue;
    ids.add(event_id);
    byType[type] = (byType[type] ?? 0) + 1;
  }
  return { ids, byType, already };
}

export interface MarkOptions {
  readonly from: Marks;
  readonly clickhouse: ClickHouse;
  /** Was opened before the plan was made: nobody else marks meanwhile. */
  readonly writer: TransactionalWriter;
  readonly said: SaidBySource;
  readonly plan: MarkPlan;
  readonly order: Order;
  readonly signal: AbortSignal;
  readonly onProgress: (marked: number) => void;
}

const TRANSACTION_MARKS = 1_000;

/** Marks what the plan says as forged; returns how many. What was marked when it ends early stays marked. */
export async function markForged(options: MarkOptions): Promise<number> {
  const { from, clickhouse, said, plan } = options;
  const before = await readMarks(from, inRange(said));
  const writing = await Writing.begin(options);
  for await (const page of eventsOfSource(clickhouse, said))
    for (const event of page)
      if (plan.ids.has(event.event_id))
        await writing.add(markOf(event, 'forged', before.get(event.event_id), options.order));
  return writing.end();
}

/** Takes the marks back that the plan names; returns how many. */
export async function markGenuine(options: Omit<MarkOptions, 'clickhouse'>): Promise<number> {
  const { from, said, plan } = options;
  const before = await readMarks(from, inRange(said));
  const writing = await Writing.begin(options);
  for (const mark of before.values())
    if (plan.ids.has(mark.event_id)) await writing.add(markOf(mark, 'none', mark, options.order));
  return writing.end();
}

/** Pure. Later than the one before it, whatever the clocks say: the newest counts. */
export function markOf(
  event: MarkedEvent,
  mark: EventMark['mark'],
  before: EventMark | undefined,
  { at, by, why }: Order,
  replaced_by: string | null = null,
): EventMark {
  const counted = (before?.mark ?? 'none') === 'none';
  const change = mark === 'none' ? (counted ? 0 : -1) : counted ? 1 : 0;
  return {
    ...{ event_id: event.event_id, mark, change, replaced_by },
    ...{ at: Math.max(at, (before?.at ?? 0) + 1), by, why },
    ...{ type: event.type, occurred_at: event.occurred_at, received_at: event.received_at },
    ...{ esp: event.esp, source: event.source, account: event.account },
    ...{ recipient: event.recipient, recipient_domain: event.recipient_domain },
    ...{ campaign: event.campaign, variant: event.variant, stream: event.stream },
    ...{ bounce_class: event.bounce_class, is_machine: event.is_machine },
  };
}

class Writing {
  private readonly options: Omit<MarkOptions, 'clickhouse'>;
  private readonly encoder: Encoder<EventMark>;
  private outputs: OutputRecord[] = [];
  private written = 0;

  private constructor(options: Omit<MarkOptions, 'clickhouse'>, encoder: Encoder<EventMark>) {
    this.options = options;
    this.encoder = encoder;
  }

  static async begin(options: Omit<MarkOptions, 'clickhouse'>): Promise<Writing> {
    return new Writing(options, await options.from.codec.encoder<EventMark>(topics.eventMarks, 'eventMark'));
  }

  async add(mark: EventMark): Promise<void> {
    const partition = partitionOf(mark.recipient, this.options.from.config.topics.partitions);
    const value = this.encoder.encode(mark);
    this.outputs.push({ topic: topics.eventMarks, partition, key: mark.event_id, value });
    if (this.outputs.length >= TRANSACTION_MARKS) await this.flush();
  }

  async end(): Promise<number> {
    await this.flush();
    return this.written;
  }

  private async flush(): Promise<void> {
    const { outputs, options } = this;
    this.outputs = [];
    if (outputs.length === 0 || options.signal.aborted) return;
    await options.writer.write(outputs);
    this.written += outputs.length;
    options.onProgress(this.written);
  }
}
