import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MAILERSEND_TEST_SECRET, mailersend } from './mailersend.ts';
import { read } from './read.fixture.ts';

const activity = (name: string, data: object = {}) => ({
  type: `activity.${name}`,
  created_at: '2026-11-02T09:15:31.000000Z',
  data: { id: 'e1', created_at: '2026-11-02T09:15:29Z', email: 'a@example.com', ...data },
});

describe('the public test secret', () => {
  const verifier = mailersend.verifier({ secrets: ['real', MAILERSEND_TEST_SECRET], options: {} });
  const verdict = (text: string, secret: string) => {
    const body = Buffer.from(text);
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    return verifier.verify({ method: 'POST', url: '/', headers: { signature }, body, receivedAt: 1 });
  };
  const test = '{"type":"webhook.test","created_at":"2026-11-02T09:15:31.000000Z"}';

  it('proves the test that comes when a webhook is saved, which is a handshake by any secret', () => {
    for (const secret of ['real', MAILERSEND_TEST_SECRET]) {
      expect(verdict(test, secret)).toMatchObject({
        outcome: 'verified',
        handshake: { kind: 'acknowledge' },
      });
    }
    expect(read('mailersend', test).events).toEqual([]);
    expect(verdict(test, 'other')).toMatchObject({ code: 'SIGNATURE_WRONG' });
  });

  it.each([
    JSON.stringify(activity('hard_bounced')),
    '{"type":"webhook.test","type":"activity.hard_bounced"}',
    '{"type":"activity.opened","data":{"type":"webhook.test"}}',
    '{"type":["webhook.test"]}',
    '[{"type":"webhook.test"}]',
    'webhook.test',
  ])('proves no other event: %s', (text) => {
    expect(verdict(text, MAILERSEND_TEST_SECRET)).toMatchObject({ code: 'TEST_SECRET_NOT_ALLOWED' });
  });

  it('is no secret to start with', () => {
    expect(() => mailersend.verifier({ secrets: [MAILERSEND_TEST_SECRET], options: {} })).toThrow(/public/);
  });
});

describe('identity', () => {
  it('is data.id, the same for an event and its unique twin, in both generations', () => {
    const { ids } = read('mailersend', activity('opened'));
    expect(read('mailersend', activity('opened_unique')).ids).toEqual(ids);
    const nested = { email: { recipient: { email: 'A@example.com' } } };
    expect(read('mailersend', activity('opened', nested)).ids).toEqual(ids);
    expect(read('mailersend', activity('opened', { id: 'e2' })).ids).not.toEqual(ids);
    expect(read('mailersend', activity('clicked')).ids).not.toEqual(ids);
  });

  it.each([undefined, null, ''])('never merges different events whose id is %s', (id) => {
    const { ids } = read('mailersend', activity('opened', { id }));
    expect(
      read('mailersend', activity('opened', { id, created_at: '2026-11-02T09:15:30Z' })).ids,
    ).not.toEqual(ids);
    expect(read('mailersend', activity('opened', { id })).ids).toEqual(ids);
  });
});

it('takes the time of the event, else that of the request', () => {
  const time = (data: object) => read('mailersend', activity('opened', data)).events[0]?.occurred_at;
  expect(time({})).toBe(Date.parse('2026-11-02T09:15:29.000Z'));
  expect(time({ created_at: undefined })).toBe(Date.parse('2026-11-02T09:15:31.000Z'));
});

it.each([{ meta: [] }, { meta: null }, { meta: {} }, {}])('reads empty details: %o', (details) => {
  const { events, refused } = read('mailersend', activity('clicked', { ...details, tags: null }));
  expect(refused).toEqual([]);
  expect(events[0]).toMatchObject({ url: null, user_agent: null, tags: [] });
});
