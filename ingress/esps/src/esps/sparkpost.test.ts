import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const tracked = (more: object) => [
  {
    msys: {
      track_event: {
        type: 'open',
        event_id: '92356927693813856',
        message_id: 'm',
        raw_rcpt_to: 'a@example.com',
        timestamp: '1793610929',
        ...more,
      },
    },
  },
];
const ids = (more: object) => read('sparkpost', tracked(more)).ids;

describe('identity', () => {
  it('is event_id, digit by digit, and type', () => {
    expect(ids({ timestamp: '1793610930', user_agent: 'x' })).toEqual(ids({}));
    expect(ids({ event_id: '92356927693813857' })).not.toEqual(ids({}));
    expect(ids({ type: 'initial_open' })).not.toEqual(ids({}));
  });

  it.each([undefined, null, ''])('is never an event_id that is %s', (event_id) => {
    const made = [
      {},
      { timestamp: '1793610929.001' },
      { message_id: 'n' },
      { raw_rcpt_to: 'b@example.com' },
      { user_agent: 'x' },
      { message_id: undefined },
      { message_id: undefined, note: 1 },
    ].flatMap((more) => ids({ event_id, ...more }));
    expect(new Set(made).size).toBe(7);
    expect(ids({ event_id })).toEqual(made.slice(0, 1));
  });
});

it('does not take the names of inbound mail for its own', () => {
  const relayed = [{ msys: { relay_event: { type: 'delivery', rcpt_to: 'a@example.com' } } }];
  expect(read('sparkpost', relayed).events[0]).toMatchObject({ type: 'other', esp_event_type: 'delivery' });
});
