import type { OutputRecord } from '@email-events/core';
import { type EmailEvent, type Encoder, type EventMark, partitionOf, topics } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import { eventsOfIds, type Marks, markOf, readMarks } from '../marks.ts';
import type { Order } from '../suppressions/orders.ts';

export interface RetypeOptions {
  readonly marks: Marks;
  readonly clickhouse: ClickHouse;
  readonly order: Order;
}

/** Ids of one query. */
const QUERY_IDS = 2_000;

/**
 * Puts events that today's mapping reads as another type in place of those that came out: these are marked as superseded, in the same
 * transaction, so that an item counts under one type only.
 */
export class Retyping {
  private readonly options: RetypeOptions;
  private readonly encoder: Encoder<EventMark>;
  private readonly marks: Map<string, EventMark>;

  private constructor(options: RetypeOptions, encoder: Encoder<EventMark>, marks: Map<string, EventMark>) {
    this.options = options;
    this.encoder = encoder;
    this.marks = marks;
  }

  static async begin(options: RetypeOptions): Promise<Retyping> {
    const {
      marks,
      marks: { codec },
    } = options;
    return new Retyping(
      options,
      await codec.encoder<EventMark>(topics.eventMarks, 'eventMark'),
      await readMarks(marks, () => true),
    );
  }

  /** Forged events are not retyped: they stay marked, so they do not count anyway. */
  mayReplace(cameOutAs: string): boolean {
    return this.marks.get(cameOutAs)?.mark !== 'forged';
  }

  /** Marks of what came out, by the event that takes its place. */
  async marksFor(replaced: ReadonlyMap<string, EmailEvent>): Promise<OutputRecord[]> {
    const { clickhouse, order, marks } = this.options;
    const ids = [...replaced.keys()];
    const outputs: OutputRecord[] = [];
    for (let at = 0; at < ids.length; at += QUERY_IDS) {
      for (const event of await eventsOfIds(clickhouse, ids.slice(at, at + QUERY_IDS))) {
        const by = replaced.get(event.event_id)?.event_id ?? null;
        const mark = markOf(event, 'superseded', this.marks.get(event.event_id), order, by);
        this.marks.set(event.event_id, mark);
        outputs.push({
          topic: topics.eventMarks,
          partition: partitionOf(event.recipient, marks.config.topics.partitions),
          key: event.event_id,
          value: this.encoder.encode(mark),
        });
      }
    }
    return outputs;
  }
}
