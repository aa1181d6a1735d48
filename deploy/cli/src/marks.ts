import { type OutputRecord, readTopic, type TransactionalWriter } from '@email-events/core';
import { type Codec, type Encoder, type EventMark, partitionOf, topics } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { PipelineConfig } from './services.ts';
import type { Order, SaidBySource } from './suppressions/orders.ts';
import { decoderOf } from './suppressions/topic.ts';

/** The events to mark; the marks themselves are made when they are written. */
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

/** Plans to mark the events of a source that count. An event that does not count keeps its mark, forged or another. */
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

/** Plans to take back the marks of events that were marked as forged. The marks hold all that is needed, so ClickHouse is not asked. */
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
  /** Must be opened before the plan is made: opening fences off any other run that marks. */
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

/** Pure. The new mark is always later than the one before it, even if a clock is wrong: the newest mark counts. */
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

/** The fields of an event that its mark repeats. */
export type MarkedEvent = Omit<EventMark, 'mark' | 'change' | 'replaced_by' | 'at' | 'by' | 'why'>;

type Row = Omit<MarkedEvent, 'occurred_at' | 'received_at'> & {
  /** 64-bit integers come as text. */
  readonly occurred: string;
  readonly received: string;
};

const COLUMNS = `event_id, type, toUnixTimestamp64Milli(occurred_at) AS occurred, toUnixTimestamp64Milli(received_at) AS received,
  esp, source, account, recipient_key AS recipient, recipient_domain, campaign, variant, stream, bounce_class, is_machine`;

/** Rows of one query: each looks at the whole range, so they are many. */
const PAGE = 50_000;

/**
 * Events of a source in ClickHouse, by the time they were received, in pages that are in the order of the event ids: rows that are
 * written meanwhile are met or not, and none is met twice.
 */
export async function* eventsOfSource(
  clickhouse: ClickHouse,
  said: SaidBySource,
): AsyncGenerator<MarkedEvent[]> {
  for (let after = ''; ; ) {
    const rows = await clickhouse.query<Row>(
      `SELECT ${COLUMNS} FROM email_events
       WHERE source = {source:String} AND event_id > {after:String}
         AND received_at >= fromUnixTimestamp64Milli({from:Int64}) AND received_at < fromUnixTimestamp64Milli({to:Int64})
       ORDER BY event_id LIMIT {page:UInt32}`,
      { ...said, after, page: PAGE },
    );
    const last = rows.at(-1);
    if (!last) return;
    yield rows.map(eventOf);
    if (rows.length < PAGE) return;
    after = last.event_id;
  }
}

/** Events by their ids, of which a few thousand fit into a query. */
export async function eventsOfIds(clickhouse: ClickHouse, ids: readonly string[]): Promise<MarkedEvent[]> {
  if (ids.length === 0) return [];
  const rows = await clickhouse.query<Row>(
    `SELECT ${COLUMNS} FROM email_events WHERE event_id IN {ids:Array(String)} ORDER BY event_id`,
    { ids },
  );
  return rows.map(eventOf);
}

function eventOf({ occurred, received, ...row }: Row): MarkedEvent {
  return { ...row, occurred_at: Number(occurred), received_at: Number(received) };
}

/** Where marks are, and what decodes them. */
export interface Marks {
  readonly config: PipelineConfig;
  readonly codec: Codec;
}

/**
 * The newest mark of each event that is wanted, by event id: out of the topic, which is the truth. Marks of an event are in one
 * partition, in the order in which they were made. Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING, KAFKA_READ_STALLED.
 */
export async function readMarks(
  { config, codec }: Marks,
  wanted: (mark: EventMark) => boolean,
): Promise<Map<string, EventMark>> {
  const marks = new Map<string, EventMark>();
  await eachMark({ config, codec }, (mark) => {
    if (wanted(mark)) marks.set(mark.event_id, mark);
  });
  return marks;
}

async function eachMark({ config, codec }: Marks, onMark: (mark: EventMark) => void): Promise<void> {
  const decode = decoderOf<EventMark>(codec, 'eventMark');
  await readTopic(config.kafka, {
    topics: [topics.eventMarks],
    from: 'beginning',
    onRecord: async ({ value }) => {
      const mark = value === null ? undefined : await decode(value);
      if (mark) onMark(mark);
    },
  });
}

/** Marks that were made with the same words about the same source. */
export interface MarkGroup {
  readonly source: string;
  readonly mark: EventMark['mark'];
  readonly by: string;
  readonly why: string;
  /** Epoch milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Marks that were made. */
  readonly marks: number;
  /** Of these, the newest of their event. */
  readonly inForce: number;
}

/** All marks that were ever made, in groups, the oldest first. */
export async function readMarkGroups(from: Marks): Promise<MarkGroup[]> {
  const groups = new Map<string, { -readonly [K in keyof MarkGroup]: MarkGroup[K] }>();
  const newest = new Map<string, string>();
  await eachMark(from, ({ event_id, source, mark, by, why, at }) => {
    const key = JSON.stringify([source, mark, by, why]);
    const group = groups.get(key) ?? {
      ...{ source, mark, by, why, firstAt: at, lastAt: at, marks: 0, inForce: 0 },
    };
    groups.set(key, group);
    group.firstAt = Math.min(group.firstAt, at);
    group.lastAt = Math.max(group.lastAt, at);
    group.marks++;
    const before = groups.get(newest.get(event_id) ?? '');
    if (before) before.inForce--;
    group.inForce++;
    newest.set(event_id, key);
  });
  return [...groups.values()].sort((a, b) => a.firstAt - b.firstAt);
}
