import { encodeRawHeaders, encodeReplay, type InputRecord, type Replay } from '@email-events/core';
import { adapters } from '@email-events/esps';
import { expect, test } from 'vitest';
import { RECEIVED_AT, rawRecord, sendgridItem } from '../testing/records.ts';
import { normalizeRecord } from './normalize-record.ts';

test('every event leads back to its request', async () => {
  const items = [sendgridItem('delivered'), sendgridItem('open')];
  const { events, failures, request } = await normalizeRecord(rawRecord(items, { partition: 3, offset: 41 }));
  expect(failures).toEqual([]);
  expect(request?.source).toBe('main');
  expect(events.map(({ type }) => type)).toEqual(['delivered', 'opened']);
  expect(events[1]).toMatchObject({
    esp: 'sendgrid',
    source: 'main',
    request_id: '0199b7a0-1111-7222-8333-444455556666',
    raw_partition: 3,
    raw_offset: 41,
    item_index: 1,
    recipient: 'ann@example.com',
  });
});

test('reads as the options of the source say', async () => {
  const item = { event: 'unsubscribe', email: 'ann@example.com', ts_event: 1_793_610_929, list_id: [3] };
  const record = rawRecord([item], {}, { esp: 'brevo' });
  const scopes = async (options: object) =>
    (
      await normalizeRecord(record, {
        readingOf: (source) => (source === 'main' ? { options: { ...options } } : {}),
      })
    ).events.map((event) => event.scope);
  expect(await scopes({})).toEqual(['all']);
  expect(await scopes({ unsubscribeScope: 'list' })).toEqual(['3']);
});

test('an item without a readable time is an event, and the same in a repetition that comes later', async () => {
  const record = (receivedAt: number) =>
    rawRecord([{ event: 'spamreport', email: 'ann@example.com', timestamp: 'n/a' }], {}, { receivedAt });
  const [first, later] = [RECEIVED_AT, RECEIVED_AT + 3_600_000];
  const { events, failures } = await normalizeRecord(record(first));
  expect(failures).toEqual([]);
  expect(events).toMatchObject([
    { type: 'complained', occurred_at: first, occurred_at_source: 'received', occurred_at_said: 'n/a' },
  ]);
  const { events: again } = await normalizeRecord(record(later));
  expect(again).toMatchObject([{ event_id: events[0]?.event_id, occurred_at: later }]);
});

test('one bad item of a thousand is refused alone, with its text', async () => {
  const items: unknown[] = Array.from({ length: 1_000 }, () => sendgridItem('open'));
  items[700] = { event: 'open', note: 'no recipient, no time' };
  const { events, failures } = await normalizeRecord(rawRecord(items));
  expect(events).toHaveLength(999);
  expect(events.map(({ item_index }) => item_index)).not.toContain(700);
  expect(failures).toHaveLength(1);
  expect(failures[0]?.code).toMatch(/^NORMALIZE_/);
  expect(failures[0]?.item?.index).toBe(700);
  expect(JSON.parse(String(failures[0]?.item?.bytes))).toEqual(items[700]);
});

test.each([
  ['garbage', Buffer.from([0xff, 0xfe, 0x00, 0x80])],
  ['cut off', Buffer.from('[{"event":"open"')],
  ['empty', Buffer.alloc(0)],
  ['not there', null],
])('a body that is %s is one failure', async (_, value) => {
  const { events, failures, request } = await normalizeRecord({ ...rawRecord([]), value });
  expect(events).toEqual([]);
  expect(failures).toMatchObject([{ code: 'NORMALIZE_BODY_UNREADABLE' }]);
  expect(failures[0]).not.toHaveProperty('item');
  expect(request?.esp).toBe('sendgrid');
});

test('an ESP without an adapter is one failure', async () => {
  const { failures, request } = await normalizeRecord(rawRecord([], {}, { esp: 'pigeon' }));
  expect(failures).toMatchObject([{ code: 'NORMALIZE_ESP_UNKNOWN' }]);
  expect(request?.esp).toBe('pigeon');
});

test.each(['request-id', 'source', 'request'])('without the header %s nothing is known', async (missing) => {
  const { [missing]: _, ...headers } = rawRecord([]).headers;
  const normalized = await normalizeRecord({ ...rawRecord([]), headers });
  expect(normalized).toMatchObject({
    request: undefined,
    failures: [{ code: 'NORMALIZE_HEADERS_UNREADABLE' }],
  });
});

test.each(['null', '[]', '"text"', '{"esp":1}', '{'])('headers that say %s are unreadable', async (text) => {
  const headers = { ...rawRecord([]).headers, request: Buffer.from(text) };
  expect((await normalizeRecord({ ...rawRecord([]), headers })).failures).toMatchObject([
    { code: 'NORMALIZE_HEADERS_UNREADABLE' },
  ]);
});

test('the content type that the request had decides how it is read', async () => {
  const headers = encodeRawHeaders({
    requestId: 'r',
    source: 'main',
    esp: 'sendgrid',
    receivedAt: Date.UTC(2026, 0, 1),
    method: 'POST',
    url: '/',
    contentType: null,
    remoteAddress: null,
    headers: {},
  });
  expect((await normalizeRecord({ ...rawRecord([sendgridItem('open')]), headers })).events).toHaveLength(1);
});

test('no adapter makes it throw, whatever the body', async () => {
  const bodies = ['', '0', 'null', '[null]', '[[]]', '{}', '{"Type":"Notification"}', '[{}]', '\u0000'];
  for (const { name } of adapters) {
    for (const body of bodies) {
      const record: InputRecord = { ...rawRecord([], {}, { esp: name }), value: Buffer.from(body) };
      const { events, failures } = await normalizeRecord(record);
      expect(events.length + failures.length, `${name} ${body}`).toBeGreaterThanOrEqual(0);
      for (const { code } of failures) expect(code).not.toBe('NORMALIZE_UNEXPECTED');
    }
  }
});

function putBack(record: InputRecord, more: Partial<Replay>): InputRecord {
  const place = { topic: 'email.raw', partition: 0, offset: 41, recordedAt: 1, sink: null };
  const replay = {
    reason: 'dead-letter',
    ...place,
    items: null,
    events: null,
    letters: [],
    ...more,
  } as const;
  return { ...record, offset: 99, headers: { ...record.headers, replay: encodeReplay(replay) } };
}

test('of a request that was put back, only the items that it was put back for count', async () => {
  const items = [sendgridItem('open'), { event: 'open' }, sendgridItem('open'), { event: 'open' }];
  const { events, failures } = await normalizeRecord(putBack(rawRecord(items), { items: [2, 3] }));
  expect(events.map(({ item_index, raw_offset }) => [item_index, raw_offset])).toEqual([[2, 99]]);
  expect(failures.map(({ item }) => item?.index)).toEqual([3]);
  const whole = await normalizeRecord(putBack(rawRecord(items), {}));
  expect([whole.events.length, whole.failures.length]).toEqual([2, 2]);
});

test('of an item that was put back for some of its events, only these count', async () => {
  const record = rawRecord([sendgridItem('open')]);
  const events = (await normalizeRecord(record)).events.map(({ event_id }) => event_id);
  expect((await normalizeRecord(putBack(record, { items: [0], events }))).events).toHaveLength(1);
  // An older version of the mapping has another event for it, which came out long ago.
  expect((await normalizeRecord(putBack(record, { items: [0], events: ['0'.repeat(32)] }))).events).toEqual(
    [],
  );
});

test('a request that cannot be read any more fails for the items that it was put back for, not as a whole', async () => {
  const record = { ...rawRecord([]), value: Buffer.from('{') };
  expect((await normalizeRecord(putBack(record, { items: [3, 5] }))).failures).toMatchObject([
    { code: 'NORMALIZE_BODY_UNREADABLE', item: { index: 3 } },
    { code: 'NORMALIZE_BODY_UNREADABLE', item: { index: 5 } },
  ]);
});

test.each(['{', 'null', '[]', '{"topic":"email.raw"}', '{"topic":1,"items":7}'])(
  'a header from elsewhere that says %s stops nothing',
  async (text) => {
    const record = rawRecord([sendgridItem('open')]);
    const headers = { ...record.headers, replay: Buffer.from(text) };
    expect((await normalizeRecord({ ...record, headers })).events).toHaveLength(1);
  },
);
