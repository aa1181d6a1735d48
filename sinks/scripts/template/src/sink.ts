import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DELIVERED, type Logger, type Sink } from '@email-events/core';
import type { EmailEvent } from '@email-events/schemas';
import { lineOf, makeFolder, NO_VALUE, RETRY, syncFolder, takesNoFiles, UNAVAILABLE } from './lines.ts';

/**
 * Writes each batch into one file, `<id of the batch>.ndjson`, a line for each event. The file appears whole or not at all. A batch
 * that comes again, after a crash or from another instance, comes to the same file. It may have other records then: the topic has
 * removed some meanwhile, or a newer version can read more of them. So what the file has is kept, and what it lacks is added.
 */
export function createNdjsonFilesSink(folder: string, log: Logger): Sink<EmailEvent> {
  return {
    name: 'ndjson-files',
    sourceOf: ({ topic, value }) => value?.source ?? topic,
    async check() {
      const probe = join(folder, `probe-${randomUUID()}`);
      try {
        await makeFolder(folder);
        await writeNew(probe, 'x');
        await rm(probe);
      } catch (cause) {
        throw takesNoFiles(cause);
      }
    },
    async write({ id, records }) {
      // Reads all values before anything is written: the runner takes a record out whose value cannot be read.
      const lines = records.map(lineOf);
      try {
        await writeBatch(
          folder,
          `${id}.ndjson`,
          lines.filter((line) => line !== undefined),
        );
      } catch (error) {
        log.warn({ code: UNAVAILABLE, detail: (error as { code?: unknown }).code }, 'a file was not written');
        return records.map(() => RETRY);
      }
      return lines.map((line) => (line === undefined ? NO_VALUE : DELIVERED));
    },
    async close() {},
  };
}

/** A process that is killed on the way leaves a file that ends in `.tmp`, which readers pass over. */
async function writeBatch(folder: string, name: string, lines: readonly string[]): Promise<void> {
  const path = join(folder, name);
  const before = await linesOf(path);
  const ids = new Set(before.map(idOf));
  const added = lines.filter((line) => !ids.has(idOf(line)));
  if (added.length === 0) return;
  // Two owners of a partition may write the same batch at the same time, so each writes to a different temporary file.
  const temporary = `${path}.${randomUUID()}.tmp`;
  await makeFolder(folder);
  try {
    await writeNew(temporary, [...before, ...added].join(''));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

async function linesOf(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split(/(?<=\n)/).filter((line) => line !== '');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return [];
    throw error;
  }
}

const idOf = (line: string) => (JSON.parse(line) as EmailEvent).event_id;

/** Resolves when the disk has it. */
async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
