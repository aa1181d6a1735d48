import type { InputRecord } from '../../dead-letter.ts';
import { replayOf } from '../../replay.ts';
import { Entry, type RecordReader } from './entry.ts';

export interface EntrySettings<R> {
  readonly name: string;
  readonly topics: readonly string[];
  /** Topic of records that sinks refused and that were put back for them. */
  readonly replays?: string | undefined;
  readonly reader: RecordReader<R>;
}

/**
 * The records of a fetch that are for this sink. A refused record comes back by a topic of its own: on its first topic every
 * other consumer would count it again. To the sink it looks as it did there.
 */
export function entriesOf<R>(
  records: readonly InputRecord[],
  { name, topics, replays, reader }: EntrySettings<R>,
): Entry<R>[] {
  return records.flatMap((record) => {
    if (record.topic !== replays) return [new Entry<R>(record, reader)];
    const replay = replayOf(record);
    if (replay?.sink !== name || !topics.includes(replay.topic)) return [];
    return [new Entry<R>(record, reader, replay)];
  });
}

/** Whatever reading these entries needs. May throw: it is tried again. */
export async function loadEntries<R>(reader: RecordReader<R>, entries: readonly Entry<R>[]): Promise<void> {
  const byTopic = new Map<string, Buffer[]>();
  for (const { topic, record } of entries) {
    if (record.value === null) continue;
    const values = byTopic.get(topic);
    if (values) values.push(record.value);
    else byTopic.set(topic, [record.value]);
  }
  for (const [topic, values] of byTopic) await reader.load(topic, values);
}
