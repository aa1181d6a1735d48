import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { waitFor } from '../../../test/harness/wait.ts';
import { metricsIn, misnamed } from '../../../test/src/metrics-page.ts';
import { reason, serveLookups, suppression, TOKEN } from './testing/index.ts';

let lookups: Awaited<ReturnType<typeof serveLookups>>;
const start = async (settings: Parameters<typeof serveLookups>[0] = {}) => {
  await lookups?.close();
  lookups = await serveLookups(settings);
  lookups.state.put('gone@x.org', suppression('gone@x.org', [reason()]));
};
beforeEach(() => start());
afterEach(() => lookups.close());

async function refusal(response: Response): Promise<[number, string]> {
  return [response.status, ((await response.json()) as { code: string }).code];
}

test('one address: the answer and how fresh it is', async () => {
  const response = await lookups.get({ address: 'Gone@X.org', stream: 'news' });
  expect(response.status).toBe(200);
  const answer = (await response.json()) as { freshness: { asOf: string } };
  expect(answer).toMatchObject({
    ...{
      address: 'Gone@X.org',
      mail: false,
      revision: 1,
      reasons: [{ reason: 'hard_bounce', scope: 'all' }],
    },
    freshness: { ageMs: 40, behind: 0 },
  });
  expect(Math.abs(Date.now() - 40 - Date.parse(answer.freshness.asOf))).toBeLessThan(5_000);
  expect(await (await lookups.get({ address: 'ann@x.org' })).json()).toMatchObject({ mail: true });
});

test('10,000 addresses are answered in their order; one more is refused', async () => {
  const addresses = Array.from({ length: 10_000 }, (_, n) =>
    n % 1_000 === 7 ? ' GONE@x.org' : `r${n}@x.org`,
  );
  addresses[8] = 'no address';
  const response = await lookups.post({ addresses, stream: null });
  expect(response.status).toBe(200);
  const { answers, freshness } = (await response.json()) as {
    answers: { address: string; mail: boolean }[];
    freshness: object;
  };
  expect(freshness).toMatchObject({ ageMs: 40, behind: 0 });
  expect(answers.map(({ address }) => address)).toEqual(addresses);
  expect(answers.filter(({ mail }) => !mail)).toHaveLength(11);
  expect(answers[8]).toMatchObject({ problem: 'LOOKUP_ADDRESS_INVALID', mail: false });
  expect(await (await lookups.post({ addresses: [] })).json()).toMatchObject({ answers: [] });
  const more = await lookups.post({ addresses: [...addresses, 'one@x.org'] });
  expect(await refusal(more)).toEqual([400, 'LOOKUP_TOO_MANY_ADDRESSES']);
  const counted = await lookups.registry.metrics();
  expect(counted).toContain('email_events_lookup_addresses_total{answer="yes"} 9989');
  expect(counted).toContain('email_events_lookup_addresses_total{answer="no"} 10');
  expect(counted).toContain('email_events_lookup_addresses_total{answer="no_address"} 1');
  expect(misnamed(metricsIn(counted))).toEqual([]);
});

test.each([
  ['no address', { stream: 'news' }],
  ['a misspelt parameter', { address: 'gone@x.org', strem: 'news' }],
  ['an empty stream', { address: 'gone@x.org', stream: '' }],
  ['a stream with a control character', { address: 'gone@x.org', stream: 'ne\u0007ws' }],
  ['a long stream', { address: 'gone@x.org', stream: 'x'.repeat(1_025) }],
])('GET with %s is refused', async (_, query) => {
  expect(await refusal(await lookups.get(query))).toEqual([400, 'LOOKUP_REQUEST_INVALID']);
});

test('an address that is twice there, none, or none of one line is refused', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const twice = await fetch(`${lookups.url}?address=ann@x.org&address=gone@x.org`, { headers });
  expect(await refusal(twice)).toEqual([400, 'LOOKUP_REQUEST_INVALID']);
  // A plus that is not encoded is a blank.
  const plus = await fetch(`${lookups.url}?address=gone+news@x.org`, { headers });
  expect(await refusal(plus)).toEqual([400, 'LOOKUP_ADDRESS_INVALID']);
  const split = await lookups.get({ address: 'ann@x.org\r\nbcc: gone@x.org' });
  expect(await refusal(split)).toEqual([400, 'LOOKUP_ADDRESS_INVALID']);
});

test.each([
  '',
  'null',
  '[]',
  '{"addresses":["gone@x.org"]',
  '{"addresses":"gone@x.org"}',
  '{"addresses":[1]}',
  '{"addresses":{"length":3}}',
  '{"addresses":["gone@x.org"],"strem":"news"}',
  '{"addresses":["gone@x.org"],"stream":7}',
])('POST of %s is refused', async (body) => {
  expect(await refusal(await lookups.post(body))).toEqual([400, 'LOOKUP_REQUEST_INVALID']);
});

describe('a token', () => {
  const query = { address: 'gone@x.org' };
  test.each([
    [{}],
    [{ authorization: '' }],
    [{ authorization: 'Bearer' }],
    [{ authorization: `Bearer ${TOKEN}x` }],
    [{ authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    [{ authorization: `Basic ${TOKEN}` }],
    [{ authorization: `Bearer ${TOKEN} ${TOKEN}` }],
    [{ authorization: `Bearer ${'x'.repeat(4_000)}` }],
  ])('is needed, and a right one: %o', async (headers) => {
    const response = await lookups.get(query, headers as { [name: string]: string });
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await refusal(response)).toEqual([401, 'LOOKUP_UNAUTHORIZED']);
  });

  test('is any of those that are configured, whatever the case of the scheme', async () => {
    for (const authorization of [`bearer ${TOKEN}`, 'Bearer another-token-0123456789'])
      expect((await lookups.get(query, { authorization })).status).toBe(200);
  });

  test('that is wrong is told a few times a minute, then counted, and never shown', async () => {
    for (let n = 0; n < 30; n++)
      await lookups.get(query, { authorization: 'Bearer hunter2-hunter2-hunter2' });
    expect(lookups.lines).toHaveLength(5);
    lookups.context.refusals.flush();
    expect(JSON.parse(lookups.lines[5] ?? '')).toEqual({ code: 'LOOKUP_UNAUTHORIZED', count: 25 });
    expect(lookups.lines.join()).not.toMatch(/hunter2|gone@x/);
    expect(await lookups.registry.metrics()).toContain(
      'email_events_lookup_refused_total{code="LOOKUP_UNAUTHORIZED"} 30',
    );
  });
});

test('what there is not is refused, without a look at the body', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  expect(await refusal(await fetch(`${lookups.url}s`, { headers }))).toEqual([404, 'LOOKUP_NOT_FOUND']);
  const put = await fetch(lookups.url, { method: 'PUT', headers, body: '{}' });
  expect(put.headers.get('allow')).toBe('GET, POST');
  expect(await refusal(put)).toEqual([405, 'LOOKUP_METHOD']);
  for (const more of [{ 'content-type': 'text/plain' }, { 'content-encoding': 'gzip' }])
    expect(await refusal(await lookups.post('{}', more))).toEqual([415, 'LOOKUP_MEDIA_TYPE']);
});

test('nothing is answered before all states are read, nor from what is too old', async () => {
  await start({ maxAgeMs: 1_000 });
  lookups.known.freshness = { ageMs: undefined, behind: 5, problems: {} };
  const loading = await lookups.get({ address: 'ann@x.org' });
  expect(loading.headers.get('retry-after')).toBe('5');
  expect(await refusal(loading)).toEqual([503, 'LOOKUP_LOADING']);
  expect(await refusal(await lookups.post({ addresses: ['ann@x.org'] }))).toEqual([503, 'LOOKUP_LOADING']);
  lookups.known.freshness = { ageMs: 1_001, behind: 0, problems: { kafka: 'KAFKA_UNREACHABLE' } };
  expect(await refusal(await lookups.get({ address: 'ann@x.org' }))).toEqual([503, 'LOOKUP_STALE']);
  lookups.known.freshness = { ageMs: 1_000, behind: 3, problems: {} };
  expect(await (await lookups.get({ address: 'ann@x.org' })).json()).toMatchObject({
    freshness: { behind: 3 },
  });
});

/** Sends this text; resolves with what comes back until the connection ends, or with what came when `enough` is found in it. */
function raw(text: string, enough = '\u0000'): Promise<string> {
  return new Promise((resolve, reject) => {
    let found = '';
    const socket = connect(lookups.port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (data) => {
      found += data;
      if (!found.includes(enough)) return;
      socket.destroy();
      resolve(found);
    });
    socket.on('end', () => resolve(found));
    socket.on('error', reject);
  });
}
const HEAD = `POST /v1/may-mail HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\n`;

describe('a body', () => {
  test('that says it is too large is refused before it comes', async () => {
    expect(await raw(`${HEAD}content-length: 4194305\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 413 .*LOOKUP_BODY_TOO_LARGE/s,
    );
  });

  test('that does not say so is refused once it is', async () => {
    await start({ maxBodyBytes: 1_000 });
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`;
    expect(await raw(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunk}`)).toMatch(/^HTTP\/1.1 413 /);
    await waitFor('its bytes to be free', () => lookups.context.underWay.used === 0);
  });

  test('of a caller without a token is not waited for', async () => {
    const text =
      'POST /v1/may-mail HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n';
    expect(await raw(text)).toMatch(/^HTTP\/1.1 401 .*connection: close/is);
  });

  test('is told to come again while others take all the room, which a caller who goes gives back', async () => {
    await start({ maxBodyBytes: 1_000, maxInFlightBytes: 1_500 });
    const slow = connect(lookups.port, '127.0.0.1', () => slow.write(`${HEAD}content-length: 1000\r\n\r\n{`));
    await waitFor('the slow one', () => lookups.context.underWay.used === 1_000);
    const body = JSON.stringify({
      addresses: ['gone@x.org', ...Array.from({ length: 60 }, () => 'ann@x.org')],
    });
    expect(await refusal(await lookups.post(body))).toEqual([503, 'LOOKUP_BUSY']);
    slow.destroy();
    await waitFor('its bytes to be free', () => lookups.context.underWay.used === 0);
    expect((await lookups.post(body)).status).toBe(200);
    expect(lookups.lines.filter((line) => line.includes('ECONN'))).toEqual([]);
  });
});

test('with the hash of an erased address and without the keys nothing is answered', async () => {
  lookups.state.put(`ERASED:${'0'.repeat(32)}`, suppression(`ERASED:${'0'.repeat(32)}`, [reason()]));
  expect(await refusal(await lookups.get({ address: 'ann@x.org' }))).toEqual([
    503,
    'LOOKUP_ERASURE_KEYS_MISSING',
  ]);
  expect(await refusal(await lookups.post({ addresses: ['ann@x.org'] }))).toEqual([
    503,
    'LOOKUP_ERASURE_KEYS_MISSING',
  ]);
});
