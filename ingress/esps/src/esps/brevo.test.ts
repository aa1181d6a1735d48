import { describe, expect, it } from 'vitest';
import { brevo } from './brevo.ts';
import { read, readRequest } from './read.fixture.ts';

const open = {
  event: 'opened',
  email: 'a@example.com',
  ts_epoch: 1_793_610_929_123,
  'message-id': '<m@smtp-relay.mailin.fr>',
  id: 1,
};
const ids = (...events: object[]) => read('brevo', events).ids;

describe('identity', () => {
  it('is the same alone, in a batch and from another webhook', () => {
    expect(read('brevo', open).ids).toEqual(ids(open));
    expect(ids({ ...open, id: 2 })).toEqual(ids(open));
    expect(ids({ ...open, 'message-id': 'm@smtp-relay.mailin.fr' })).toEqual(ids(open));
  });

  it('is one for the first open under both of its names, and another for a proxy', () => {
    expect(ids({ ...open, event: 'unique_opened' })).toEqual(ids(open));
    expect(ids({ ...open, event: 'proxy_open' })).not.toEqual(ids(open));
  });

  it('is other for another type, message, recipient, time or link', () => {
    const others = [
      open,
      { ...open, event: 'delivered' },
      { ...open, 'message-id': '<n@smtp-relay.mailin.fr>' },
      { ...open, email: 'b@example.com' },
      { ...open, ts_epoch: open.ts_epoch + 1 },
      { ...open, event: 'click', link: 'https://x.example/1' },
      { ...open, event: 'click', link: 'https://x.example/2' },
    ];
    expect(new Set(ids(...others)).size).toBe(others.length);
  });

  it.each([undefined, null, '', '<>'])('is never a message-id that is %s', (id) => {
    const nameless = { ...open, 'message-id': id };
    const [one, again, other] = ids(nameless, nameless, { ...nameless, subject: 'x' });
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });
});

describe('tags', () => {
  it.each([
    [{ tags: ['a', 'b'], tag: 'c' }, ['a', 'b']],
    [{ tags: [], tag: '["a","b"]' }, ['a', 'b']],
    [{ tag: ['a'] }, ['a']],
    [{ tag: 'a' }, ['a']],
    [{ tag: '[not json' }, ['[not json']],
    [{ tag: '' }, []],
    [{}, []],
  ])('of %j are %j', (more, expected) => {
    expect(read('brevo', { ...open, ...more }).events[0]?.tags).toEqual(expected);
  });
});

describe('what is left', () => {
  const left = { event: 'unsubscribe', email: 'a@example.com', ts_event: 1_793_610_929, list_id: [3, 42] };
  const scopes = (event: object, options = {}) => {
    const { events, refused } = readRequest('brevo', { body: Buffer.from(JSON.stringify(event)) }, options);
    expect(refused).toEqual([]);
    return events.map(({ type, scope }) => [type, scope]);
  };

  it('is all mail, unless the account leaves by list', () => {
    expect(scopes(left)).toEqual([['unsubscribed', 'all']]);
    expect(scopes(left, { unsubscribeScope: 'all' })).toEqual([['unsubscribed', 'all']]);
    expect(scopes(left, { unsubscribeScope: 'list' })).toEqual([
      ['unsubscribed', '3'],
      ['unsubscribed', '42'],
    ]);
    expect(scopes({ ...left, list_id: undefined }, { unsubscribeScope: 'list' })).toEqual([
      ['unsubscribed', 'all'],
    ]);
  });

  it('is all mail for a contact on the blocklist, and comes back with it', () => {
    const contact = (...content: object[]) =>
      scopes({ event: 'contact_updated', ts: 1_793_610_929, content });
    expect(contact({ email: 'a@example.com', emailBlacklist: true })).toEqual([['unsubscribed', 'all']]);
    expect(contact({ email: 'a@example.com', emailBlacklist: false })).toEqual([['subscribed', 'all']]);
    expect(
      scopes({
        event: 'contact_updated',
        email: 'a@example.com',
        ts: 1_793_610_929,
        content: { emailBlacklist: true },
      }),
    ).toEqual([['unsubscribed', 'all']]);
    expect(contact({ email: 'a@example.com', smsBlacklist: true })).toEqual([['other', undefined]]);
    expect(contact({ email: 'a@example.com', attributes: {} })).toEqual([['other', undefined]]);
  });

  it('needs a word that it knows', () => {
    const settings = { secrets: ['a:b'], options: { unsubscribeScope: 'lists' } };
    expect(() => brevo.verifier(settings)).toThrow(/unsubscribeScope/);
  });
});

it('asks for a retry by 429: Brevo throws away what is answered by 5xx', () => {
  expect(brevo.http.answers).toMatchObject({ later: 429, overRate: 429 });
});
