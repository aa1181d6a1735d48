import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type Logger, type Sink, type SinkRecord } from '@email-events/core';
import { type EmailEvent, topics } from '@email-events/schemas';

export const log = createLogger('test', 'silent');

export function recordOf(value: Partial<EmailEvent> | null): SinkRecord<EmailEvent> {
  const topic = topics.events('delivered');
  return { topic, key: null, value: value as EmailEvent | null, timestamp: Date.now(), attempts: 0 };
}

export const makeRoot = () => mkdtemp(join(tmpdir(), 'ndjson-files-'));

/** A folder that is there until the test ends. */
export async function folderOf(test: { onTestFinished(remove: () => Promise<void>): void }): Promise<string> {
  const folder = await makeRoot();
  test.onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** Events in all files, as a reader finds them. */
export async function eventsIn(folder: string): Promise<EmailEvent[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ndjson'));
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return lines.map((line) => JSON.parse(line) as EmailEvent);
}

/** For `sinkContract`; `rows`: ids of the events that a reader takes from these. */
export function destination(
  create: (folder: string, log: Logger) => Sink<EmailEvent>,
  rows: (ids: string[]) => string[],
) {
  return {
    async open() {
      const root = await makeRoot();
      const folder = join(root, 'files');
      await mkdir(folder);
      return {
        sink: create(folder, log),
        rows: async () => rows((await eventsIn(folder)).map(({ event_id }) => event_id)),
        // A file where the folder should be.
        async breakDown() {
          await rename(folder, join(root, 'away'));
          await writeFile(folder, '');
        },
        async mend() {
          await rm(folder);
          await rename(join(root, 'away'), folder);
        },
        dispose: () => rm(root, { recursive: true }),
      };
    },
    good: (event_id: string) => recordOf({ event_id }),
    bad: () => recordOf(null),
  };
}
