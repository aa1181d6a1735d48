import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, open, rm } from 'node:fs/promises';
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
 * Appends events to one file a process, `<start>-<random>.ndjson`, a line for each. A batch that is written again, after a crash or
 * a failure, is there twice: readers take each `event_id` once, and pass over a last line that has no end.
 */
export function createNdjsonFilesSink(folder: string, log: Logger): Sink<EmailEvent> {
  const path = () => join(folder, `${Date.now()}-${randomUUID()}.ndjson`);
  let file = path();
  /** One append at a time: lines of two batches must not be mixed. */
  let last: Promise<unknown> = Promise.resolve();
  const append = (text: string): Promise<void> => {
    const appended = last.then(() => appendLines(file, text));
    last = appended.catch(() => {
      // The failed append may have written half a line: nothing may follow it.
      file = path();
    });
    return appended;
  };
  return {
    name: 'ndjson-files',
    byRecord: true,
    sourceOf: ({ topic, value }) => value?.source ?? topic,
    async check() {
      const probe = join(folder, `probe-${randomUUID()}`);
      try {
        await appendLines(probe, 'x');
        await rm(probe);
      } catch (cause) {
        throw new PipelineError(UNAVAILABLE, 'retry', 'the folder takes no files', { cause });
      }
    },
    async write({ records }) {
      // Reads all values before anything is written: the runner takes a record out whose value cannot be read.
      const lines = records.map(lineOf);
      const text = lines.join('');
      try {
        if (text !== '') await append(text);
      } catch (error) {
        log.warn({ code: UNAVAILABLE, detail: (error as { code?: unknown }).code }, 'nothing was appended');
        return records.map(() => RETRY);
      }
      return lines.map((line) => (line === undefined ? NO_VALUE : DELIVERED));
    },
    async close() {
      await last;
    },
  };
}

/** Undefined for a record without a value. */
function lineOf({ topic, value }: SinkRecord<EmailEvent>): string | undefined {
  return value ? `${JSON.stringify({ ...value, type: eventTypeOf(topic) })}\n` : undefined;
}

/** Resolves when the disk has them. */
async function appendLines(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, text, { flush: true });
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
