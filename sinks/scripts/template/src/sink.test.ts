import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sinkContract } from '../../../../test/contracts/sink.ts';
import { destination, eventsIn, folderOf, log, recordOf } from './destination.fixture.ts';
import { createNdjsonFilesSink } from './sink.ts';

sinkContract(
  'ndjson-files',
  destination(createNdjsonFilesSink, (ids) => ids),
);

const EVENT = { event_id: 'e', recipient: 'ada@example.com', tags: ['a\nb'] };
const { signal } = new AbortController();

test('a line has the event and its type, in the file of its batch', async (scope) => {
  const folder = join(await folderOf(scope), 'made', 'by the sink');
  await createNdjsonFilesSink(folder, log).write({ id: 'batch', records: [recordOf(EVENT)] }, signal);
  expect(await readdir(folder)).toEqual(['batch.ndjson']);
  expect(await eventsIn(folder)).toEqual([{ ...EVENT, type: 'delivered' }]);
});

test('a batch that comes again with other records keeps what was written, and adds what was not', async (scope) => {
  const folder = await folderOf(scope);
  const sink = createNdjsonFilesSink(folder, log);
  const record = (event_id: string) => recordOf({ event_id });
  await sink.write({ id: 'batch', records: [record('1'), record('2')] }, signal);
  // The topic has removed the first; the third can be read by now.
  const verdicts = await sink.write({ id: 'batch', records: [record('2'), record('3')] }, signal);
  expect(verdicts.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered']);
  expect(await readdir(folder)).toEqual(['batch.ndjson']);
  expect((await eventsIn(folder)).map(({ event_id }) => event_id)).toEqual(['1', '2', '3']);
});
