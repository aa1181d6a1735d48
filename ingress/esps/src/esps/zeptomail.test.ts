import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';
import { zeptomail } from './zeptomail.ts';

const TIME = '2026-11-02T14:45:29+05:30';
const body = (object: string, detail: object, message: object = {}, more: object = {}) => ({
  event_name: [object],
  event_message: [
    {
      email_info: { to: [{ email_address: { address: 'a@example.com' } }] },
      event_data: [{ details: [{ time: TIME, ...detail }], object }],
      request_id: 'r1',
      ...message,
    },
  ],
  webhook_request_id: 'w1',
  ...more,
});

describe('authorization header', () => {
  const verdict = (secret: string, authorization: string | undefined) =>
    zeptomail
      .verifier({ secrets: ['other', secret], options: {} })
      .verify({ method: 'POST', url: '/', headers: { authorization }, body: Buffer.alloc(0), receivedAt: 1 });

  it('must be one of the secrets', () => {
    expect(verdict('Key s3cret', 'Key s3cret').outcome).toBe('verified');
    expect(verdict('s3cret', 'Bearer s3cret').outcome).toBe('verified');
    expect(verdict('user:pass', `Basic ${Buffer.from('user:pass').toString('base64')}`).outcome).toBe(
      'verified',
    );
    expect(verdict('user:pass', 'Basic dXNlcjpwYXN')).toMatchObject({ code: 'CREDENTIALS_WRONG' });
    expect(verdict('s3cret', 's3cre')).toMatchObject({ code: 'CREDENTIALS_WRONG' });
    expect(verdict('s3cret', undefined)).toMatchObject({ code: 'CREDENTIALS_MISSING' });
    expect(verdict('s3cret', '')).toMatchObject({ code: 'CREDENTIALS_MISSING' });
  });

  it('is not replaced by the signature that ZeptoMail sends', () => {
    const request = {
      method: 'POST',
      url: '/',
      headers: { 'producer-signature': 'ts=1;s=AAAA;s-algorithm=HmacSHA256' },
      body: Buffer.alloc(0),
      receivedAt: 1,
    };
    expect(zeptomail.verifier({ secrets: ['s'], options: {} }).verify(request).outcome).toBe('refused');
  });
});

describe('identity', () => {
  it('is what happened, in whatever request it came', () => {
    const { ids } = read('zeptomail', body('email_link_click', { clicked_link: 'https://x.example/1' }));
    const click = (detail: object, message: object = {}, more: object = {}) =>
      read(
        'zeptomail',
        body('email_link_click', { clicked_link: 'https://x.example/1', ...detail }, message, more),
      ).ids;
    expect(click({}, {}, { webhook_request_id: 'w2' })).toEqual(ids);
    expect(click({ clicked_link: 'https://x.example/2' })).not.toEqual(ids);
    expect(click({ time: '2026-11-02T14:45:30+05:30' })).not.toEqual(ids);
    expect(click({}, { request_id: 'r2' })).not.toEqual(ids);
  });

  it('is the item where the message has no id', () => {
    const nameless = (detail: object) =>
      read('zeptomail', body('email_open', detail, { request_id: null })).ids;
    expect(nameless({})).toEqual(nameless({}));
    expect(nameless({ os: 'x' })).not.toEqual(nameless({}));
  });
});

it('makes an event of each message, each of its details and each recipient', () => {
  const two = body('softbounce', {});
  const bounced = (bounced_recipient: string) => ({ time: TIME, bounced_recipient });
  const request = {
    ...two,
    event_message: [
      {
        ...two.event_message[0],
        event_data: [{ object: 'softbounce', details: [bounced('a@example.com'), bounced('b@example.com')] }],
      },
      {
        ...two.event_message[0],
        email_info: { to: ['c', 'd'].map((name) => ({ email_address: { address: `${name}@example.com` } })) },
        event_data: [{ object: 'email_open', details: [{ time: TIME }] }],
      },
    ],
  };
  const { events, ids } = read('zeptomail', request);
  expect(events.map(({ type, recipient }) => `${type} ${recipient}`)).toEqual([
    'bounced a@example.com',
    'bounced b@example.com',
    'opened c@example.com',
    'opened d@example.com',
  ]);
  expect(new Set(ids).size).toBe(4);
});

it('suppresses nobody by guess: a bounce that names no recipient is undetermined for several', () => {
  const bounced = (...to: string[]) =>
    read('zeptomail', {
      event_name: ['hardbounce'],
      event_message: [
        {
          request_id: 'r',
          email_info: { to: to.map((address) => ({ email_address: { address } })) },
          event_data: [{ object: 'hardbounce', details: [{ time: '2026-11-02T09:15:29Z' }] }],
        },
      ],
    }).events.map(({ bounce_class }) => bounce_class);
  expect(bounced('a@example.com')).toEqual(['hard']);
  expect(bounced('a@example.com', 'b@example.com')).toEqual(['undetermined', 'undetermined']);
});
