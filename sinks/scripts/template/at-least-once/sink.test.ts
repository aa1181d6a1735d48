import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type SinkRecord } from '@email-events/core';
import { type EmailEvent, topics } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { sinkContract } from '../../../../test/contracts/sink.ts';
import { createNdjsonFilesSink } from './sink.ts';

const log = createLogger('test', 'silent');
const TIME = Date.UTC(2026, 0, 31, 23, 59);

function recordOf(value: Partial<EmailEvent> | null): SinkRecord<EmailEvent> {
  const topic = topics.events('delivered');
  return { topic, key: null, value: value as EmailEvent | null, timestamp: TIME, attempts: 0 };
}

/** Ids of the events in all files, each once, as a reader must take them. */
async function idsIn(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  const texts = await Promise.all(
    files.filter((file) => file.endsWith('.ndjson')).map((file) => readFile(join(folder, file), 'utf8')),
  );
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return [...new Set(lines.map((line) => (JSON.parse(line) as EmailEvent).event_id))];
}

sinkContract('ndjson-files', {
  async open() {
    const root = await mkdtemp(join(tmpdir(), 'ndjson-files-'));
    const folder = join(root, 'files');
    await mkdir(folder);
    return {
      sink: createNdjsonFilesSink(folder, log),
      rows: () => idsIn(folder),
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
  good: (event_id) => recordOf({ event_id }),
  bad: () => recordOf(null),
});

test('a line has the event and its type; a batch that comes again is there again', async (scope) => {
  const folder = await mkdtemp(join(tmpdir(), 'ndjson-files-'));
  scope.onTestFinished(() => rm(folder, { recursive: true }));
  const event = { event_id: 'e', recipient: 'ada@example.com', tags: ['a\nb'] };
  const { signal } = new AbortController();
  const sink = createNdjsonFilesSink(folder, log);
  for (let n = 0; n < 2; n++) await sink.write({ id: 'batch', records: [recordOf(event)] }, signal);
  const [file = '', ...others] = await readdir(folder);
  expect(others).toEqual([]);
  const lines = (await readFile(join(folder, file), 'utf8')).split('\n').slice(0, -1);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { ...event, type: 'delivered' },
    { ...event, type: 'delivered' },
  ]);
});
