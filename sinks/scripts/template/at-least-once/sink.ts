import { randomUUID } from 'node:crypto';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DELIVERED, type Logger, type Sink } from '@email-events/core';
import type { EmailEvent } from '@email-events/schemas';
import { lineOf, makeFolder, NO_VALUE, RETRY, syncFolder, takesNoFiles, UNAVAILABLE } from '../src/lines.ts';

/**
 * Appends events to one file a process, `<start>-<random>.ndjson`, a line for each. A batch that is written again, after a crash or
 * a failure, is there twice: readers take each `event_id` once, and pass over a last line that has no end.
 */
export function createNdjsonFilesSink(folder: string, log: Logger): Sink<EmailEvent> {
  const name = () => `${Date.now()}-${randomUUID()}.ndjson`;
  let file = name();
  /** One append at a time: lines of two batches must not be mixed. */
  let last: Promise<unknown> = Promise.resolve();
  const append = (text: string): Promise<void> => {
    const appended = last.then(() => appendLines(folder, file, text));
    last = appended.catch(() => {
      // The failed append may have written half a line: nothing may follow it.
      file = name();
    });
    return appended;
  };
  return {
    name: 'ndjson-files',
    byRecord: true,
    sourceOf: ({ topic, value }) => value?.source ?? topic,
    async check() {
      const probe = `probe-${randomUUID()}`;
      try {
        await appendLines(folder, probe, 'x');
        await rm(join(folder, probe));
      } catch (cause) {
        throw takesNoFiles(cause);
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

/** Resolves when the disk has them. */
async function appendLines(folder: string, name: string, text: string): Promise<void> {
  await makeFolder(folder);
  await appendFile(join(folder, name), text, { flush: true });
  await syncFolder(folder);
}
