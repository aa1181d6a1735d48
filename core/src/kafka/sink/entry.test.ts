import { expect, test } from 'vitest';
import { encodeReplay, type InputRecord, type Replay } from '../records.ts';
import { entriesOf, loadEntries } from './entry.ts';

const settings = {
  name: 'sink-a',
  topics: ['events', 'states'],
  replays: 'replays',
  reader: { load: async () => {}, read: (topic: string, value: Buffer) => `${topic} ${value}` },
};

type Message = Omit<InputRecord, 'topic' | 'partition'>;

function messageOf(offset: number, replay?: Partial<Replay>): Message {
  const whole = { reason: 'dead-letter', partition: 2, items: null, events: null, letters: [], ...replay };
  return {
    key: Buffer.from('k'),
    value: Buffer.from(`value ${offset}`),
    offset,
    timestamp: 900,
    headers: replay ? { replay: encodeReplay(whole as Replay) } : {},
  };
}

const batchOf = (topic: string, messages: Message[]): InputRecord[] =>
  messages.map((message) => ({ topic, partition: 1, ...message }));
const place = { topic: 'events', offset: 7, recordedAt: 5, sink: 'sink-a' };

test('of what was put back, a sink gets what it refused itself, as it was', () => {
  const entries = entriesOf(
    batchOf('replays', [
      messageOf(0),
      messageOf(1, place),
      messageOf(2, { ...place, sink: 'sink-b' }),
      messageOf(3, { ...place, topic: 'not read by it' }),
      messageOf(4, { ...place, topic: 'states', recordedAt: null }),
    ]),
    settings,
  );
  expect(entries.map(({ offset, topic, timestamp, value }) => [offset, topic, timestamp, value])).toEqual([
    [1, 'events', 5, 'events value 1'],
    [4, 'states', 900, 'states value 4'],
  ]);
  // Offsets are committed where they were read.
  expect(entries.map(({ readFrom, partition }) => `${readFrom}/${partition}`)).toEqual([
    'replays/1',
    'replays/1',
  ]);
});

test('all records of other topics are for the sink, whatever they bear', () => {
  const messages = [messageOf(0), messageOf(1, { ...place, sink: 'sink-b' })];
  expect(entriesOf(batchOf('events', messages), settings).map(({ topic }) => topic)).toEqual([
    'events',
    'events',
  ]);
});

test('schemas are loaded for the topics that the records are of', async () => {
  const loaded: string[] = [];
  const load = async (topic: string, values: Iterable<Buffer>) =>
    void loaded.push(`${topic}: ${[...values].join(', ')}`);
  const messages = [messageOf(1, place), messageOf(4, { ...place, topic: 'states' }), messageOf(5, place)];
  const reader = { ...settings.reader, load };
  await loadEntries(reader, entriesOf(batchOf('replays', messages), { ...settings, reader }));
  expect(loaded).toEqual(['events: value 1, value 5', 'states: value 4']);
});

test('bytes come with their writer, by the topic that the record is of, and without one if they cannot be read', () => {
  const writer = {};
  const reader = {
    ...settings.reader,
    writerOf: (topic: string, value: Buffer) =>
      `${topic} ${value}` === 'states value 4' ? writer : undefined,
  };
  const messages = [messageOf(4, { ...place, topic: 'states' }), messageOf(1, place)];
  const tombstone = { ...messageOf(5, { ...place, topic: 'states' }), value: null };
  const entries = entriesOf(batchOf('replays', [...messages, tombstone]), { ...settings, reader });
  expect(entries.map(({ encoded }) => encoded)).toEqual([
    { bytes: Buffer.from('value 4'), start: 5, key: Buffer.from('k'), writer },
    undefined,
    undefined,
  ]);
  expect(entries[0]?.encoded?.writer).toBe(writer);
  // A reader of something else than Avro has no writers.
  expect(entriesOf(batchOf('events', [messageOf(0)]), settings)[0]?.encoded).toBeUndefined();
});
