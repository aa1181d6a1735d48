import { describe, expect, it } from 'vitest';
import type { EspRequest } from '../adapter.ts';
import { hmac } from '../schemes/signatures.ts';
import { mandrill } from './mandrill.ts';
import { read } from './read.fixture.ts';

const open = { event: 'open', ts: 1_793_610_929, _id: 'm', msg: { _id: 'm', email: 'a@example.com' } };
const form = (events: unknown) => new URLSearchParams({ mandrill_events: JSON.stringify(events) }).toString();
const TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const ids = (...events: unknown[]) => read('mandrill', form(events), TYPE).ids;

describe('identity', () => {
  it('is the same in another batch, and other for another type, message, recipient, time, link or client', () => {
    const [first] = ids(open);
    expect(ids({ ...open, event: 'click', url: 'https://x.example/' }, open)[1]).toBe(first);
    const others = [
      open,
      { ...open, event: 'send' },
      { ...open, event: 'click', url: 'https://x.example/1' },
      { ...open, event: 'click', url: 'https://x.example/2' },
      { ...open, _id: 'n' },
      { ...open, ts: 1_793_610_930 },
      { ...open, ip: '192.0.2.1' },
      { ...open, msg: { ...open.msg, email: 'b@example.com' } },
    ];
    expect(new Set(ids(...others)).size).toBe(others.length);
  });

  it('takes the id of the message from msg, and the whole item where there is none', () => {
    expect(ids({ ...open, _id: undefined })).toEqual(ids(open));
    const nameless = { ...open, _id: undefined, msg: { email: 'a@example.com' } };
    const [one, again, other] = ids(nameless, nameless, { ...nameless, ip: '192.0.2.1' });
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });
});

describe('verification', () => {
  const url = 'https://user:pass@hooks.example.com:8443/in?tenant=1';
  const verifier = mandrill.verifier({ secrets: ['key'], options: { url } });
  const code = (fields: [string, string][], key: string, signed: readonly string[]) => {
    const request: EspRequest = {
      method: 'POST',
      url: '/elsewhere',
      headers: { ...TYPE, 'x-mandrill-signature': hmac('sha1', key, signed).toString('base64') },
      body: Buffer.from(new URLSearchParams(fields).toString()),
      receivedAt: 1,
    };
    const verdict = verifier.verify(request);
    return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
  };

  it('signs the configured URL and all fields, sorted by name, decoded', () => {
    const signed = [url, 'a', 'x y&ä', 'mandrill_events', '[]', 'z', ''];
    const fields: [string, string][] = [
      ['z', ''],
      ['mandrill_events', '[]'],
      ['a', 'x y&ä'],
    ];
    expect(code(fields, 'key', signed)).toBe('verified');
    expect(code(fields, 'key', ['/elsewhere', ...signed.slice(1)])).toBe('SIGNATURE_WRONG');
    expect(code([...fields, ['a', '']], 'key', signed)).toBe('BODY_UNREADABLE');
  });

  it('takes no escape that is none: what it would mean is up to the reader', () => {
    const judged = (written: string, meant: string) => {
      const signature = hmac('sha1', 'key', [url, 'mandrill_events', meant]).toString('base64');
      const headers = { ...TYPE, 'x-mandrill-signature': signature };
      const body = Buffer.from(`mandrill_events=${written}`);
      const verdict = verifier.verify({ method: 'POST', url: '/', headers, body, receivedAt: 1 });
      return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
    };
    expect(judged('%5B%22100+%25+%e4%bd%A0%22,"\u00e4"%5D', '["100 % 你","ä"]')).toBe('verified');
    expect(judged('%5B%22100+%+%22%5D', '["100 % "]')).toBe('SIGNATURE_WRONG');
  });

  it('takes the public test key for an empty list alone', () => {
    const judged = (events: string) =>
      code([['mandrill_events', events]], 'test-webhook', [url, 'mandrill_events', events]);
    expect(judged('[]')).toBe('verified');
    expect(judged('[{}]')).toBe('TEST_SECRET_NOT_ALLOWED');
    expect(judged('')).toBe('TEST_SECRET_NOT_ALLOWED');
    const more: [string, string][] = [
      ['mandrill_events', '[]'],
      ['x', '1'],
    ];
    expect(code(more, 'test-webhook', [url, 'mandrill_events', '[]', 'x', '1'])).toBe(
      'TEST_SECRET_NOT_ALLOWED',
    );
  });

  it('does not start with the public test key, nor without a URL', () => {
    expect(() => mandrill.verifier({ secrets: ['key', 'test-webhook'], options: { url } })).toThrow(/test/);
    expect(() => mandrill.verifier({ secrets: ['key'], options: {} })).toThrow(/url/);
    expect(() => mandrill.verifier({ secrets: ['key'], options: { url: '/in' } })).toThrow(/url/);
  });
});

it('reads nested events of any depth', () => {
  const deep = `[{"event":"x","a":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`;
  const body = new URLSearchParams({ mandrill_events: deep }).toString();
  expect(read('mandrill', body, TYPE).refused).toHaveLength(1);
});

describe('changes of the lists', () => {
  const sync = (type: string, action: string, more: object) =>
    read('mandrill', form([{ type, action, ts: 1_793_610_929, ...more }]), TYPE).events[0];
  const reject = (reason: string, more = {}) => ({ reject: { reason, email: 'a@example.com', ...more } });

  it.each([
    ['blacklist', 'add', reject('unsub'), 'unsubscribed', 'all'],
    ['blacklist', 'add', reject('custom'), 'unsubscribed', 'all'],
    ['blacklist', 'change', reject('hard-bounce'), 'unsubscribed', 'all'],
    ['blacklist', 'add', reject('unsub', { subaccount: 'shop' }), 'unsubscribed', 'shop'],
    ['blacklist', 'add', reject('soft-bounce'), 'other', undefined],
    ['blacklist', 'remove', reject('unsub'), 'subscribed', 'all'],
    // The address works again; this does not say whether the recipient wants mail there.
    ['blacklist', 'remove', reject('hard-bounce'), 'other', undefined],
    ['whitelist', 'add', { entry: { email: 'a@example.com' } }, 'subscribed', 'all'],
    ['whitelist', 'remove', { entry: { email: 'a@example.com' } }, 'other', undefined],
  ])('%s %s %j is %s of %s', (list, action, more, type, scope) => {
    expect(sync(list, action, more)).toMatchObject({ type, recipient: 'a@example.com' });
    expect(sync(list, action, more)?.scope).toBe(scope);
  });
});
