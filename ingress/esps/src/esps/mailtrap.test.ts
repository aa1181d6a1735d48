import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const open = {
  event: 'open',
  event_id: 'e1',
  message_id: 'm',
  email: 'a@example.com',
  timestamp: 1_793_610_929,
};
const lines = (...events: unknown[]) => events.map((event) => JSON.stringify(event)).join('\n');

describe('identity', () => {
  it('is event_id, in whatever batch and format it came', () => {
    const { ids } = read('mailtrap', { events: [open, { ...open, event_id: 'e2' }] });
    expect(new Set(ids).size).toBe(2);
    expect(read('mailtrap', lines({ ...open, event_id: 'e2' }, open)).ids).toEqual(ids.toReversed());
  });

  it.each([undefined, null, ''])('never merges different events whose id is %s', (event_id) => {
    const nameless = { ...open, event_id };
    const { ids } = read('mailtrap', { events: [nameless, { ...nameless, ip: '192.0.2.1' }, nameless] });
    expect(new Set(ids).size).toBe(2);
    expect(read('mailtrap', lines(nameless)).ids).toEqual([ids[0]]);
  });
});

describe('body', () => {
  it.each([
    ['an object', { events: [open, open] }],
    ['a list', [open, open]],
    ['lines', lines(open, open)],
    ['lines that end in CRLF', `${lines(open).concat('\r\n')}${lines(open)}\r\n\r\n`],
  ])('may be %s', (_what, body) => {
    expect(read('mailtrap', body).events).toHaveLength(2);
  });

  it('may be one line', () => {
    expect(read('mailtrap', open).events).toHaveLength(1);
  });

  it('loses one broken line only', () => {
    const { events, refused } = read('mailtrap', `${lines(open)}\n{"event":\n3\n${lines(open)}`);
    expect(events).toHaveLength(2);
    expect(refused).toEqual(['NORMALIZE_ITEM_INVALID', 'NORMALIZE_ITEM_INVALID']);
  });

  it.each(['', ' \n ', '{"events":[', 'true', 'x\ny', '{"events":{}}'])(
    'is refused as a whole: %j',
    (body) => {
      expect(() => read('mailtrap', body)).toThrow(/body|events/);
    },
  );
});
