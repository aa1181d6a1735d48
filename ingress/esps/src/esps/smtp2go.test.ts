import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';

const open = { event: 'open', time: '2026-11-02T09:15:29Z', rcpt: 'a@example.com', email_id: 'm', id: 'e1' };
const id = (event: object) => read('smtp2go', event).ids[0];

describe('identity', () => {
  it('is the same as JSON and as a form, whatever id says', () => {
    const form = new URLSearchParams(open).toString();
    const { ids } = read('smtp2go', form, { 'content-type': 'application/x-www-form-urlencoded' });
    expect(ids).toEqual([id(open)]);
    expect(id({ ...open, id: 'e2' })).toBe(id(open));
  });

  it('is other for another type, message, recipient, time, link or client', () => {
    const others = [
      open,
      { ...open, event: 'spam' },
      { ...open, email_id: 'n' },
      { ...open, rcpt: 'b@example.com' },
      { ...open, time: '2026-11-02T09:15:29.001Z' },
      { ...open, event: 'click', url: 'https://x.example/1' },
      { ...open, event: 'click', url: 'https://x.example/2' },
      { ...open, 'user-agent': 'x' },
    ];
    expect(new Set(others.map(id)).size).toBe(others.length);
  });

  it.each([undefined, null, ''])('is never an email_id that is %s', (email_id) => {
    const nameless = { ...open, email_id };
    expect(id(nameless)).toBe(id(nameless));
    expect(id({ ...nameless, id: 'e2' })).not.toBe(id(nameless));
  });
});

it('takes what is none of its own names for a header of the mail', () => {
  const { events } = read('smtp2go', {
    ...open,
    Subject: 'x',
    'X-Order': 17,
    'client-os': 'y',
    'x-tags': ['a'],
  });
  expect(events[0]).toMatchObject({ subject: 'x', metadata: { 'X-Order': '17', 'x-tags': '["a"]' } });
});
