import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { sinkContract } from '../../../../test/contracts/sink.ts';
import { destination, eventsIn, folderOf, log, recordOf } from '../src/destination.fixture.ts';
import { createNdjsonFilesSink } from './sink.ts';

// Its readers take each event once.
sinkContract(
  'ndjson-files',
  destination(createNdjsonFilesSink, (ids) => [...new Set(ids)]),
);

const EVENT = { event_id: 'e', recipient: 'ada@example.com', tags: ['a\nb'] };

test('a line has the event and its type; a batch that comes again is there again', async (scope) => {
  const folder = await folderOf(scope);
  const { signal } = new AbortController();
  const sink = createNdjsonFilesSink(folder, log);
  for (let n = 0; n < 2; n++) await sink.write({ id: 'batch', records: [recordOf(EVENT)] }, signal);
  expect(await readdir(folder)).toHaveLength(1);
  const written = { ...EVENT, type: 'delivered' };
  expect(await eventsIn(folder)).toEqual([written, written]);
});
