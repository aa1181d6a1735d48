import type { ClickHouse } from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { MOST_EVENTS, messageIdOf, readStory, recipientsOfMessage } from './story.ts';
import { renderStory } from './story-words.ts';

/** Answers each query with the rows of the first text that is in it; what was asked. */
function clickhouseOf(...answers: readonly (readonly [part: string, rows: readonly object[]])[]) {
  const asked: { sql: string; parameters: unknown }[] = [];
  const query = async (sql: string, parameters: unknown) => {
    asked.push({ sql, parameters });
    return answers.find(([part]) => sql.includes(part))?.[1] ?? [];
  };
  return { asked, clickhouse: { query } as unknown as ClickHouse };
}

test('an id is what is between the angle brackets', () => {
  const ids = ['a@shop', ' <a@shop> ', '< >', '<>', ''];
  expect(ids.map(messageIdOf)).toEqual(['a@shop', 'a@shop', '', '', '']);
});

test('of the recipients of a message a few are read, and all are counted', async () => {
  const { asked, clickhouse } = clickhouseOf([
    'startsWith(message',
    [{ recipient: 'ann@example.com', messages: ['a.1'], total: '1234567' }],
  ]);
  const found = await recipientsOfMessage(clickhouse, 'a', { recipient: undefined, limit: 20 });
  expect(found).toEqual({
    recipients: [{ recipient: 'ann@example.com', messages: ['a.1'] }],
    total: 1_234_567,
  });
  expect(asked).toHaveLength(2);
  for (const { sql, parameters } of asked) {
    expect(sql).toContain('LIMIT {limit:UInt64}');
    expect(parameters).toEqual({ id: 'a', limit: 20 });
  }
});

test('with an address, only that one is looked for', async () => {
  const { asked, clickhouse } = clickhouseOf();
  const only = { recipient: ['ann@example.com'], limit: 20 };
  expect(await recipientsOfMessage(clickhouse, 'a', only)).toEqual({ recipients: [], total: 0 });
  for (const { sql, parameters } of asked) {
    expect(sql).toMatch(/WHERE \(.*\) AND recipient_key IN \{recipient:Array\(String\)\}/);
    expect(parameters).toMatchObject({ recipient: ['ann@example.com'] });
  }
});

test.each([
  [MOST_EVENTS, false],
  [MOST_EVENTS + 1, true],
])(
  'of %i events, the newest are told in the order of time; that there are others: %s',
  async (count, more) => {
    // As ClickHouse is asked for them: the newest first.
    const rows = Array.from({ length: count }, (_, n) => ({
      ...{
        event_id: `e${count - n}`,
        type: 'subscribed',
        occurred_at: '2026-09-01 12:00:00.000',
        detail: '',
      },
      ...{ mark: '', request_id: 'r', raw: '0/0/0', of_message: 0, identity: '' },
    }));
    const { asked, clickhouse } = clickhouseOf(['FROM recipient_timeline', rows]);
    const story = await readStory(clickhouse, 'ann@example.com', { limit: 10 });
    const sql = asked.find((one) => one.sql.includes('recipient_timeline'))?.sql;
    expect(sql).toContain(`ORDER BY occurred_at DESC, event_id DESC LIMIT ${MOST_EVENTS + 1}`);
    expect(story.others).toHaveLength(MOST_EVENTS);
    expect([story.others[0]?.eventId, story.others.at(-1)?.eventId]).toEqual([
      more ? 'e2' : 'e1',
      `e${count}`,
    ]);
    expect(story.hasEarlierEvents).toBe(more);
    expect(renderStory(story).includes('only its newest 5,000 events were read')).toBe(more);
  },
);

test.each([
  [0, 'recipient_messages(address = {key:String})'],
  [1, 'messages WHERE recipient_key IN {keys:Array(String)}'],
])('of a recipient with marks (%i) messages are read from where these count', async (marked, from) => {
  const { asked, clickhouse } = clickhouseOf(['AS marked', [{ marked }]]);
  await readStory(clickhouse, 'ann@example.com', { limit: 10 });
  expect(asked.filter(({ sql }) => sql.includes(`FROM ${from}`))).toHaveLength(1);
  expect(asked).toHaveLength(4);
});
