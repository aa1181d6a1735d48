import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  DELIVERED,
  type Logger,
  PipelineError,
  type Sink,
  type SinkRecord,
  type SinkVerdict,
} from '@email-events/core';
import { type EmailEvent, eventTypeOf } from '@email-events/schemas';

const UNAVAILABLE = 'SINK_NDJSON_FILES_UNAVAILABLE';
const RETRY: SinkVerdict = { outcome: 'retry', code: UNAVAILABLE };
const NO_VALUE: SinkVerdict = {
  outcome: 'dead-letter',
  code: 'SINK_RECORD_UNREADABLE',
  message: 'the record has no value',
};

/**
 * Writes each batch into one file, `<day>/<id of the batch>.ndjson`, a line for each event. The file appears whole or not at all, and
 * the same batch written again, after a crash or by another instance, makes the same file: every event is in exactly one of them.
 */
export function createNdjsonFilesSink(folder: string, log: Logger): Sink<EmailEvent> {
  return {
    name: 'ndjson-files',
    sourceOf: ({ topic, value }) => value?.source ?? topic,
    async check() {
      const probe = join(folder, `probe-${randomUUID()}`);
      try {
        await writeFile(probe, 'x');
        await rm(probe);
      } catch (cause) {
        throw new PipelineError(UNAVAILABLE, 'retry', 'the folder takes no files', { cause });
      }
    },
    async write({ id, records }) {
      // Reads all values before anything is written: the runner takes a record out whose value cannot be read.
      const lines = records.map(lineOf);
      const text = lines.join('');
      try {
        if (text !== '') await writeWhole(join(folder, dayOf(records), `${id}.ndjson`), text);
      } catch (error) {
        log.warn({ code: UNAVAILABLE, detail: (error as { code?: unknown }).code }, 'a file was not written');
        return records.map(() => RETRY);
      }
      return lines.map((line) => (line === undefined ? NO_VALUE : DELIVERED));
    },
    async close() {},
  };
}

/** Undefined for a record without a value. */
function lineOf({ topic, value }: SinkRecord<EmailEvent>): string | undefined {
  return value ? `${JSON.stringify({ ...value, type: eventTypeOf(topic) })}\n` : undefined;
}

/** UTC day on which the first record was written to its topic: the same whenever the batch is written. */
function dayOf([first]: readonly SinkRecord<EmailEvent>[]): string {
  return new Date(first?.timestamp ?? 0).toISOString().slice(0, 10);
}

/** A process that is killed on the way leaves a file that ends in `.tmp`, which readers pass over. */
async function writeWhole(path: string, text: string): Promise<void> {
  // Two owners of a partition may write the same batch at the same time, so each writes to a different temporary file.
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await sync(dirname(path));
}

/** Resolves when the disk has it. */
async function writeFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'wx');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A new name in a folder is lost in a power failure unless the folder is synced, too. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
