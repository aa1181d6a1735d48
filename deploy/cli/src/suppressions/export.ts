import { type ReadRecord, readTopic, withAdmin } from '@email-events/core';
import { type Suppression, topics } from '@email-events/schemas';
import { Recipients } from '@email-events/sink-lookup/recipients';
import { csvRow } from '../csv.ts';
import { decoderOf, type Suppressions } from './topic.ts';

/** States that were written out, and records that no reader of states can read. */
export interface ExportResult {
  recipients: number;
  unreadable: number;
}

export interface ExportOptions {
  /** States that are not wanted are not written. */
  readonly wanted: (state: Suppression) => boolean;
  /** Resolves when more may come. */
  readonly write: (state: Suppression) => Promise<void>;
  readonly progress: (text: string) => void;
}

/** Was written out, or is no state any more. */
const DONE = -1;
const PROGRESS_EVERY = 100_000;

/**
 * Hands over the newest state of every recipient, one partition after the other, each read twice: at first only which record of a recipient is the
 * newest is kept, some 40 bytes each.
 */
export async function exportStates(from: Suppressions, options: ExportOptions): Promise<ExportResult> {
  const result: ExportResult = { recipients: 0, unreadable: 0 };
  for (const partition of await partitionsOf(from))
    await new PartitionExport(from, partition, options, result).run();
  return result;
}

async function partitionsOf({ config }: Suppressions): Promise<number[]> {
  const { topics: found } = await withAdmin(config.kafka, (admin) =>
    admin.fetchTopicMetadata({ topics: [topics.suppressions] }),
  );
  return (found[0]?.partitions ?? []).map(({ partitionId }) => partitionId).sort((a, b) => a - b);
}

class PartitionExport {
  private readonly from: Suppressions;
  private readonly partition: number;
  private readonly options: ExportOptions;
  private readonly result: ExportResult;
  private readonly newest = new Recipients();
  /** What was written since the first reading, by recipient. */
  private readonly later = new Map<string, Buffer | null>();
  private records = 0;
  private end = 0;

  constructor(from: Suppressions, partition: number, options: ExportOptions, result: ExportResult) {
    this.from = from;
    this.partition = partition;
    this.options = options;
    this.result = result;
  }

  async run(): Promise<void> {
    await this.read(({ key, offset }) => {
      // Offsets take the place of a revision, from 1.
      this.newest.set(this.of(key), { revision: Number(offset) + 1, reasons: 0 });
      this.end = Number(offset) + 1;
    });
    await this.read((record) => this.second(record));
    // A record that was the newest may have been compacted away meanwhile, for one that came later.
    for (const [key, value] of this.later)
      if ((this.newest.get(this.newest.fingerprintOf(key))?.revision ?? DONE) !== DONE)
        await this.write(value);
  }

  private async second({ key, value, offset }: ReadRecord): Promise<void> {
    if (Number(offset) >= this.end) {
      this.later.set(key?.toString() ?? '', value);
      return;
    }
    const of = this.of(key);
    if (this.newest.get(of)?.revision !== Number(offset) + 1) return;
    this.newest.set(of, { revision: DONE, reasons: 0 });
    await this.write(value);
  }

  private async write(value: Buffer | null): Promise<void> {
    if (value === null) return;
    const state = await decoderOf<Suppression>(this.from.codec, 'suppression')(value);
    if (!state) {
      this.result.unreadable += 1;
      return;
    }
    if (!this.options.wanted(state)) return;
    this.result.recipients += 1;
    await this.options.write(state);
  }

  private of(key: Buffer | null) {
    return this.newest.fingerprintOf(key?.toString() ?? '');
  }

  private read(onRecord: (record: ReadRecord) => void | Promise<void>): Promise<void> {
    const { partition } = this;
    return readTopic(this.from.config.kafka, {
      topics: [topics.suppressions],
      from: { positions: [{ topic: topics.suppressions, partition, offset: 0n }] },
      onRecord: (record) => {
        if (++this.records % PROGRESS_EVERY === 0)
          this.options.progress(`${this.records} records read of partition ${partition}`);
        return onRecord(record);
      },
    });
  }
}

export const CSV_HEADER = 'recipient,reason,scope,since,esp,source,account,event_id,detail,revision';

/** A line for each active reason; none for a state that has none. */
export function csvOf({ recipient, reasons, revision }: Suppression): string {
  return reasons
    .map(({ reason, scope, since, esp, source, account, event_id, detail }) =>
      csvRow([
        recipient,
        reason,
        scope,
        new Date(since).toISOString(),
        esp,
        source,
        account,
        event_id,
        detail,
        String(revision),
      ]),
    )
    .map((line) => `${line}\n`)
    .join('');
}
