import { readTopic } from '@email-events/core';
import { type Codec, type EventMark, topics } from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';
import { decoderOf } from '../suppressions/topic.ts';

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
