import { describe, expect, it } from 'vitest';
import { elasticemail } from './elasticemail.ts';
import { readRequest } from './read.fixture.ts';

const RECEIVED_AT = Date.parse('2026-11-03T00:00:00Z');
const opened = { status: 'Opened', to: 'a@example.com', date: '11/2/2026 9:15:29 AM', messageid: 'm' };
const get = (url: string) => ({
  method: 'GET',
  url,
  headers: {},
  body: Buffer.alloc(0),
  receivedAt: RECEIVED_AT,
});
const read = (parameters: { [name: string]: string }) =>
  readRequest('elasticemail', get(`/in?${new URLSearchParams(parameters)}`));
const id = (parameters: { [name: string]: string }) => {
  const { ids, refused } = read(parameters);
  return ids[0] ?? refused[0];
};

describe('identity', () => {
  it('is other for another status, message, recipient, time, link or category', () => {
    const others = [
      opened,
      { ...opened, status: 'Sent' },
      { ...opened, messageid: 'n' },
      { ...opened, to: 'b@example.com' },
      { ...opened, date: '11/2/2026 9:15:30 AM' },
      { ...opened, status: 'Clicked', target: 'https://x.example/1' },
      { ...opened, status: 'Clicked', target: 'https://x.example/2' },
      { ...opened, status: 'Error', category: 'Spam' },
      { ...opened, status: 'Error', category: 'Timeout' },
    ];
    expect(new Set(others.map(id)).size).toBe(others.length);
    expect(id({ ...opened, category: 'Ignore', subject: 'x' })).toBe(id(opened));
  });

  it.each([{ messageid: '' }, {}])('is never a message id that is missing: %j', (more) => {
    const { messageid: _, ...rest } = opened;
    const nameless = { ...rest, ...more };
    expect(id(nameless)).toBe(id(nameless));
    expect(id({ ...nameless, subject: 'x' })).not.toBe(id(nameless));
  });

  it('has nothing of the token in it, nor has the payload', () => {
    const plain = { ...opened, status: 'New' };
    for (const more of [{ token: 's3cret' }, { token: '***' }, { key: '***' }]) {
      expect(read({ ...more, ...plain })).toEqual(read(plain));
    }
  });
});

describe('dates', () => {
  it.each([
    ['11/2/2026 9:15:29 AM', '2026-11-02T09:15:29.000Z'],
    ['11/2/2026 12:15:29 PM', '2026-11-02T12:15:29.000Z'],
    ['1/15/2026 12:05:09 AM', '2026-01-15T00:05:09.000Z'],
    ['11/02/2026 09:15 pm', '2026-11-02T21:15:00.000Z'],
    ['11/2/2026 21:15:29', '2026-11-02T21:15:29.000Z'],
    ['2026-11-02 09:15:29', '2026-11-02T09:15:29.000Z'],
    ['1793610929', '2026-11-02T09:15:29.000Z'],
  ])('reads %s', (date, expected) => {
    expect(read({ ...opened, date }).events[0]?.occurred_at).toBe(Date.parse(expected));
  });

  it.each(['', 'soon', '2/30/2026', '13/13/2026 9:15:29 AM', '1/1/2026 9:61:00 AM'])(
    'cannot read %s',
    (date) => {
      expect(read({ ...opened, date }).events[0]?.occurred_at).toEqual({ said: date || null });
    },
  );
});

it('takes a request without parameters for a test of the URL, if the token is right', () => {
  const verifier = elasticemail.verifier({ secrets: ['t'], options: { tokenParameter: 'key' } });
  expect(verifier.verify(get('/in?key=t'))).toMatchObject({ handshake: { kind: 'acknowledge' } });
  expect(verifier.verify(get('/in?key=t&status=Sent'))).toEqual({ outcome: 'verified' });
  expect(verifier.verify(get('/in'))).toMatchObject({ code: 'CREDENTIALS_MISSING' });
  expect(verifier.verify(get('/in?key=x'))).toMatchObject({ code: 'CREDENTIALS_WRONG' });
  expect(verifier.secretParameters).toEqual(['key']);
});
