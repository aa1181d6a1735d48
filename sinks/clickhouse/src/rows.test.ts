import { EVENT_TYPES, topics } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { type ClickHouseValue, TABLES, writerOf } from './rows.ts';

const common = {
  event_id: 'e'.repeat(32),
  occurred_at: 1_790_000_000_001,
  occurred_at_source: 'bounded',
  occurred_at_said: '2099-01-01T00:00:00.000Z',
  received_at: 1_790_000_000_002,
  esp: 'sendgrid',
  source: 'main',
  account: 'shop',
  esp_event_type: 'open',
  esp_event_id: null,
  esp_message_id: 'm',
  message_id: null,
  recipient: 'Ann@Example.com',
  recipient_domain: 'example.com',
  sender: null,
  subject: 'Tab\there, "quotes", \\ and newline\n',
  campaign: null,
  variant: null,
  stream: null,
  tags: ['a', 'ü'],
  metadata: { 'k"': 'v\u0000' },
  request_id: 'r',
  raw_partition: 1,
  raw_offset: 9_007_199_254_740_991,
  item_index: 0,
};

const rowOf = (topic: string, value: object | null, key: string | null = 'ann@example.com') => {
  const writer = writerOf(topic);
  const line = writer.encode({
    topic,
    key,
    value: value as ClickHouseValue | null,
    timestamp: 5,
    attempts: 0,
  })?.line;
  if (line === undefined) return undefined;
  const cells = JSON.parse(line) as unknown[];
  expect(cells).toHaveLength(writer.columns.length);
  return Object.fromEntries(writer.columns.map((column, index) => [column, cells[index]]));
};

test('a row has the values of the event under the names of the columns, null where the type has none', () => {
  const row = rowOf(topics.events('opened'), {
    ...common,
    user_agent: 'UA',
    ip: '203.0.113.1',
    is_machine: true,
  });
  expect(row).toMatchObject({
    ...common,
    type: 'opened',
    recipient_key: 'ann@example.com',
    is_machine: true,
  });
  expect(row).toMatchObject({
    user_agent: 'UA',
    ip: '203.0.113.1',
    smtp_code: null,
    url: null,
    payload: null,
  });
});

test('each type names itself after its topic', () => {
  for (const type of EVENT_TYPES) expect(rowOf(topics.events(type), common)?.type).toBe(type);
});

test('one line a row, whatever is in the texts', () => {
  const line = writerOf(topics.events('queued')).encode({
    topic: '',
    key: null,
    value: common as unknown as ClickHouseValue,
    timestamp: 0,
    attempts: 0,
  })?.line;
  expect(line?.indexOf('\n')).toBe((line?.length ?? 0) - 1);
});

test('an event without a recipient has no recipient key, one without a record key has it from the address', () => {
  expect(rowOf(topics.events('other'), { ...common, recipient: '' }, 'something')?.recipient_key).toBe('');
  expect(rowOf(topics.events('other'), common, null)?.recipient_key).toBe('ann@example.com');
});

test('an event without a value is no row', () => {
  expect(rowOf(topics.events('queued'), null)).toBeUndefined();
});

test('a suppression without a value says that the recipient was erased', () => {
  expect(rowOf(topics.suppressions, null)).toMatchObject({
    recipient: 'ann@example.com',
    suppressed: false,
    reasons: [],
    is_deleted: true,
  });
});

test('a suppression says by whom, account for account, and where it is in the order of states', () => {
  const reason = {
    ...{ reason: 'complaint', scope: 'all', since: 5, esp: 'ses', source: 'main' },
    ...{ event_id: 'e', detail: null },
  } as const;
  const state = {
    ...{ recipient: 'ann@example.com', suppressed: true, changed_at: 5, event_id: 'e', revision: 7 },
    reasons: [
      { ...reason, account: 'shop' },
      { ...reason, account: null },
    ],
  };
  expect(rowOf(topics.suppressions, state as never)).toEqual({
    ...state,
    reasons: [reason, reason],
    reason_accounts: ['shop', null],
    is_deleted: false,
  });
});

test('bytes of a dead letter survive', () => {
  const bytes = Buffer.from([0, 255, 10, 34]);
  const letter = {
    stage: 's',
    code: 'c',
    message: 'm',
    attempts: 1,
    first_at: 1,
    last_at: 2,
    origin_topic: 't',
  };
  const rest = {
    origin_partition: 0,
    origin_offset: 7,
    item_index: null,
    esp: null,
    source: null,
    request_id: null,
  };
  const state = { recorded_at: 3, status: 'discarded', status_at: 4, replays: 1, note: 'test traffic' };
  const row = rowOf(topics.deadLetters, {
    ...letter,
    ...rest,
    item: null,
    key: bytes,
    value: bytes,
    headers: { h: bytes },
    ...state,
  });
  expect(row).toMatchObject({
    ...letter,
    ...rest,
    ...state,
    item_base64: null,
    headers_base64: { h: 'AP8KIg==' },
  });
  expect([row?.key_base64, row?.value_base64]).toEqual(['AP8KIg==', 'AP8KIg==']);
});

test('a mark of an event says all that the rollup needs of it', () => {
  const mark = {
    ...{ event_id: 'e'.repeat(32), mark: 'forged', change: 1, replaced_by: null, at: 1, by: 'maria' },
    ...{ why: 'a "quoted" reason', type: 'opened', occurred_at: 2, received_at: 3, esp: 'sendgrid' },
    ...{ source: 'main', account: null, recipient: 'ann@example.com', recipient_domain: 'example.com' },
    ...{ campaign: 'spring', variant: 'A', stream: null, bounce_class: null, is_machine: true },
  };
  expect(rowOf(topics.eventMarks, mark)).toEqual(mark);
  expect(rowOf(topics.eventMarks, null)).toBeUndefined();
});

test('every table that is written is known to the check', () => {
  const names = TABLES.map(({ table }) => table);
  for (const topic of [topics.events('queued'), topics.suppressions, topics.deadLetters, topics.eventMarks]) {
    expect(names).toContain(writerOf(topic).table);
  }
});
