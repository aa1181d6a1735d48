import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { read } from './read.fixture.ts';
import { unisenderGo } from './unisender-go.ts';

const data = {
  job_id: 'j',
  email: 'a@example.com',
  status: 'opened',
  event_time: '2026-11-02 09:15:29',
  delivery_info: { user_agent: 'x' },
};
const grouped = (...events: object[]) => ({
  events_by_user: [
    {
      events: events.map((event) => ({ event_name: 'transactional_email_status', event_data: event })),
    },
  ],
});
const ids = (...events: object[]) => read('unisender-go', grouped(...events)).ids;

describe('identity', () => {
  it('is the same alone, in a group, and in each attempt', () => {
    const flat = { event_name: 'transactional_email_status', ...data };
    expect(read('unisender-go', { auth: '1', ...flat }).ids).toEqual(ids(data));
    const nameless = { ...flat, job_id: undefined };
    expect(read('unisender-go', { auth: '1', ...nameless }).ids).toEqual(
      read('unisender-go', { auth: '2', ...nameless, retry_count: 3 }).ids,
    );
  });

  it('is other for another status, job, recipient, time, link or client', () => {
    const others = [
      data,
      { ...data, status: 'delivered' },
      { ...data, job_id: 'k' },
      { ...data, email: 'b@example.com' },
      { ...data, event_time: '2026-11-02 09:15:30' },
      { ...data, status: 'clicked', url: 'https://x.example/1' },
      { ...data, status: 'clicked', url: 'https://x.example/2' },
      { ...data, delivery_info: { user_agent: 'y' } },
      { ...data, job_id: undefined },
      { ...data, job_id: undefined, metadata: { n: '1' } },
    ];
    expect(new Set(ids(...others)).size).toBe(others.length);
  });
});

describe('verification', () => {
  const code = (body: string | Buffer, secrets = ['api_key']) => {
    const verifier = unisenderGo.verifier({ secrets, options: {} });
    const request = { method: 'POST', url: '/', headers: {}, body: Buffer.from(body), receivedAt: 1 };
    const verdict = verifier.verify(request);
    return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
  };
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  const signed = (text: string, key = 'api_key') => text.replace(key, md5(text));

  it('knows the published example', () => {
    expect(md5('{"auth":"api_key","key":"value"}')).toBe('8c64386327f53722434f44021a7a0d40');
    expect(code('{"auth":"8c64386327f53722434f44021a7a0d40","key":"value"}')).toBe('verified');
    expect(code('{"auth":"8c64386327f53722434f44021a7a0d40","key":"valuf"}')).toBe('SIGNATURE_WRONG');
  });

  it('takes the bytes as they are: spaces, escapes, other letters, any place, upper case', () => {
    expect(code(signed('{ "key" : "№ \\u0416 \\/" ,\r\n "auth" :\t"api_key" }\n'))).toBe('verified');
    const body = signed('{"auth":"api_key"}');
    expect(code(body.replace(/[0-9a-f]{32}/, (digest) => digest.toUpperCase()))).toBe('verified');
  });

  it.each(['', ':', '{', '"', ' ', 'auth', '0'.repeat(31), '0'.repeat(33), '0'.repeat(34), 'g'.repeat(32)])(
    'is not led to put the key elsewhere by an auth of %j',
    (auth) => {
      const body = JSON.stringify({ auth, key: 'value' });
      expect(code(body)).toMatch(/^SIGNATURE_M/);
    },
  );

  it.each(['null', '0', '1', 'true', '[]', '{}', '["api_key"]'])('refuses an auth of %s', (auth) => {
    expect(code(`{"auth":${auth}}`)).toMatch(/^SIGNATURE_M/);
  });

  it('takes the auth at the top alone, once and as it is written', () => {
    const body = signed('{"auth":"api_key","key":"value"}');
    const digest = /[0-9a-f]{32}/.exec(body)?.[0] ?? '';
    expect(code(body.replace('value', digest))).toBe('SIGNATURE_WRONG');
    expect(code(body.replace('"key"', '"auth"'))).toBe('BODY_UNREADABLE');
    expect(code(body.replace('"key"', '"\\u0061uth"'))).toBe('BODY_UNREADABLE');
    expect(code(`{"x":${body}}`)).toBe('SIGNATURE_MISSING');
    expect(code(signed('{"x":{"auth":1},"auth":"api_key"}'))).toBe('verified');
    const unicode = digest.charCodeAt(1).toString(16);
    const escaped = `${digest[0]}\\u00${unicode}${digest.slice(2)}`;
    expect(JSON.parse(`"${escaped}"`)).toBe(digest);
    expect(code(body.replace(digest, escaped))).toBe('SIGNATURE_MALFORMED');
  });

  it('is not fooled by what MD5 lets anybody append: that is no JSON', () => {
    const body = signed('{"auth":"api_key"}');
    const padded = Buffer.concat([Buffer.from(body), Buffer.from([0x80, 0, 0, 0]), Buffer.from('{"x":1}')]);
    expect(code(padded)).toBe('BODY_UNREADABLE');
  });
});

describe('what a failure says of the address', () => {
  const failed = (delivery_status: string, destination_response = '') => {
    const data = {
      status: 'hard_bounced',
      job_id: 'j',
      email: 'a@example.com',
      event_time: '2026-11-02 09:15:29',
    };
    const info = { delivery_info: { delivery_status, destination_response } };
    const event = { event_name: 'transactional_email_status', event_data: { ...data, ...info } };
    const [made] = read('unisender-go', { events_by_user: [{ events: [event] }] }).events;
    return made?.type === 'bounced'
      ? [made.bounce_class, made.bounce_category]
      : [made?.type, made?.drop_reason];
  };

  it.each([
    ['err_user_unknown', 'hard', 'invalid_mailbox'],
    ['err_domain_inactive', 'hard', 'domain_not_found'],
    ['err_mailbox_full', 'soft', 'mailbox_full'],
    ['err_spam_rejected', 'soft', 'spam'],
    ['err_delivery_failed', 'undetermined', 'other'],
    ['err_lost', 'undetermined', 'other'],
    ['err_unsubscribed', 'dropped', 'unsubscribed'],
  ])('%s', (status, ...expected) => expect(failed(status)).toEqual(expected));

  it('is in the answer, where there is one', () => {
    expect(failed('err_delivery_failed', '550 5.1.1 no such user')).toEqual(['hard', 'invalid_mailbox']);
    expect(failed('err_user_unknown', '550 5.7.1 refused')).toEqual(['soft', 'policy']);
  });
});
