import { createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { runBin } from './testing.ts';

// Through the real entry: what scripts and other people's checks see.

const folder = mkdtempSync(join(tmpdir(), 'inspect-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
const RECEIVED = '2026-01-02T03:04:05.000Z';

/** A request of our own canonical form, signed as Standard Webhooks says. */
function signed(
  recipient: string,
  overrides: object = {},
  occurred_at: string = RECEIVED,
  more: object = {},
) {
  const body = JSON.stringify({ type: 'delivered', recipient, occurred_at, event_id: recipient, ...more });
  const timestamp = String(Date.parse(RECEIVED) / 1000);
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`msg_1.${timestamp}.${body}`).digest('base64');
  const headers = {
    'Content-Type': 'application/json',
    'Webhook-Id': 'msg_1',
    'Webhook-Timestamp': timestamp,
    'Webhook-Signature': `v1,${signature}`,
  };
  return { method: 'POST', url: '/', headers, body, receivedAt: RECEIVED, ...overrides };
}

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const ESP = ['--esp', 'standard-webhooks', '--secret', SECRET];

describe('inspect FILE', () => {
  test('verified: 0 and the events with ISO times', async () => {
    const { code, out } = await runBin(['inspect', file('good.json', signed('a@b.example')), ...ESP]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      verified: true,
      reason: null,
      handshake: false,
      events: [{ type: 'delivered', recipient: 'a@b.example', received_at: RECEIVED }],
      deadLetters: [],
    });
  });

  test('not verified: 3 and the reason', async () => {
    const request = signed('a@b.example', { body: '{}' });
    const { code, out } = await runBin(['inspect', '-', ...ESP], { input: JSON.stringify(request) });
    expect(code).toBe(3);
    expect(JSON.parse(out)).toEqual({
      verified: false,
      reason: 'SIGNATURE_WRONG',
      handshake: false,
      events: [],
      deadLetters: [],
    });
  });

  test('a source of a configuration says how to verify, and names the events', async () => {
    const config = file('pipeline.yaml', {
      sources: { shop: { esp: 'standard-webhooks', secrets: ['env:SHOP_SECRET'] } },
    });
    const args = [
      'inspect',
      file('shop.json', signed('a@b.example')),
      '--source',
      'shop',
      '--config',
      config,
    ];
    const { code, out } = await runBin(args, { env: { SHOP_SECRET: SECRET } });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ verified: true, events: [{ source: 'shop' }] });
  });

  const told = { metadata: { utm_campaign: 'spring', mailing: 'm-7' }, tags: ['campaign:tagged'] };
  const origins = async (args: readonly string[], more: object = told, env = {}) => {
    const { code, out } = await runBin(
      ['inspect', file('told.json', signed('a@b.example', {}, RECEIVED, more)), ...args],
      { env },
    );
    expect(code).toBe(0);
    const { events, fieldsFrom } = JSON.parse(out);
    return [events[0].campaign, fieldsFrom];
  };

  test('where a campaign was found is told, if not in the ESP’s own field', async () => {
    expect(await origins(ESP)).toEqual(['spring', [{ campaign: 'metadata.utm_campaign' }]]);
    expect(await origins(ESP, { campaign: 'own', ...told })).toEqual(['own', undefined]);
    expect(
      await origins([...ESP, '--field', 'campaign=tag.none', '--field', 'campaign=metadata.mailing']),
    ).toEqual(['m-7', [{ campaign: 'metadata.mailing' }]]);
  });

  test('the fields of a source count, and those of the command line before them', async () => {
    const config = file('fields.yaml', {
      sources: {
        shop: {
          esp: 'standard-webhooks',
          secrets: ['env:SHOP_SECRET'],
          fields: { campaign: 'tag.campaign' },
        },
      },
    });
    const args = ['--source', 'shop', '--config', config];
    const env = { SHOP_SECRET: SECRET };
    expect(await origins(args, told, env)).toEqual(['tagged', [{ campaign: 'tag.campaign' }]]);
    expect(await origins([...args, '--field', 'campaign=metadata.mailing'], told, env)).toEqual([
      'm-7',
      [{ campaign: 'metadata.mailing' }],
    ]);
  });

  test.each([
    ['2026-01-02T03:09:05.000Z', 4, [RECEIVED, 'bounded', '2026-01-02T03:09:05.000Z']],
    ['2026-01-02T03:09:05.000Z', 5, ['2026-01-02T03:09:05.000Z', 'esp', null]],
    ['at noon', 5, [RECEIVED, 'received', 'at noon']],
  ])('a time of %s is believed as far as %i minutes ahead', async (time, maxFutureMinutes, expected) => {
    const config = file('times.yaml', {
      sources: { shop: { esp: 'standard-webhooks', secrets: ['env:SHOP_SECRET'] } },
      normalize: { maxFutureMinutes },
    });
    const request = file('times.json', signed('a@b.example', {}, time));
    const args = ['inspect', request, '--source', 'shop', '--config', config];
    const { out } = await runBin(args, { env: { SHOP_SECRET: SECRET } });
    const [event] = JSON.parse(out).events;
    expect([event.occurred_at, event.occurred_at_source, event.occurred_at_said]).toEqual(expected);
  });

  test.each([
    ['a file that is not there', ['inspect', join(folder, 'none.json'), ...ESP], 'CLI_USAGE'],
    ['an unknown ESP', ['inspect', '-', '--esp', 'nope'], 'INSPECT_ESP_UNKNOWN'],
    ['no way to verify', ['inspect', '-'], 'CLI_USAGE'],
    ['a field that there is not', ['inspect', '-', ...ESP, '--field', 'mailing=esp'], 'CLI_USAGE'],
    ['a path that is none', ['inspect', '-', ...ESP, '--field', 'campaign=tags.x'], 'CLI_USAGE'],
    ['a secret that is none', ['inspect', '-', '--esp', 'standard-webhooks'], 'INSPECT_CREDENTIALS_UNUSABLE'],
  ])('%s: a coded error without a stack', async (_what, args, expected) => {
    const { code, out, err } = await runBin(args, { input: JSON.stringify(signed('a@b.example')) });
    expect([code === 0 || code === 3, out]).toEqual([false, '']);
    expect(err).toContain(expected);
    expect(err).not.toMatch(/\n\s+at /);
  });
});

describe('inspect of the fixtures of this repository', () => {
  const fixtures = fileURLToPath(new URL('../../../ingress/esps/fixtures/', import.meta.url));
  const esps = readdirSync(fixtures);
  const first = (esp: string) => join(fixtures, esp, readdirSync(join(fixtures, esp)).sort()[0] ?? '');
  const expected = (path: string) => JSON.parse(readFileSync(path, 'utf8')).expected;

  test('one of every ESP, by nothing but the file', async () => {
    const paths = esps.map(first);
    const { code, out } = await runBin(['inspect', ...paths]);
    expect(esps.length).toBeGreaterThan(15);
    const results = out.trimEnd().split('\n');
    expect(results.map((text) => JSON.parse(text))).toMatchObject(paths.map(expected));
    expect(code).toBe(paths.every((path) => expected(path).verified) ? 0 : 3);
  });

  test('--esp leaves secrets and options to the file; --secret goes before them', async () => {
    const path = first('mailgun');
    expect((await runBin(['inspect', path, '--esp', 'mailgun'])).code).toBe(0);
    expect((await runBin(['inspect', path, '--esp', 'mailgun', '--secret', 'another'])).code).toBe(3);
  });
});

test('a file that is no request: 2, and the message names it', async () => {
  const path = file('package.json', { name: 'x', scripts: {} });
  const { code, out, err } = await runBin(['inspect', path, ...ESP]);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(`INSPECT_REQUEST_INVALID ${path}: this is no request`);
});

describe('inspect --ndjson', () => {
  const line = (recipient: string, more: object = {}) =>
    JSON.stringify({
      ...signed(recipient),
      esp: 'standard-webhooks',
      secrets: [SECRET],
      options: {},
      ...more,
    });

  test('thousands of lines, one result each, in order', async () => {
    const recipients = Array.from({ length: 3_000 }, (_, i) => `r${i}@b.example`);
    const input = recipients.map((recipient) => line(recipient)).join('\n');
    const { code, out } = await runBin(['inspect', '--ndjson', '-'], { input });
    expect(code).toBe(0);
    const results = out
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text));
    expect(results.map(({ events }) => events[0].recipient)).toEqual(recipients);
  });

  test('a malformed line yields an error in its place and the others go on', async () => {
    const wrong = line('c@b.example', { secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`] });
    const lines = [
      line('a@b.example'),
      '{broken',
      wrong,
      line('d@b.example', { esp: 'nope' }),
      line('e@b.example'),
    ];
    const { code, out } = await runBin(['inspect', '--ndjson', '-'], { input: `${lines.join('\n')}\n` });
    expect(code).toBe(3);
    const results = out
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text));
    expect(results.map(({ verified, error }) => error?.code ?? verified)).toEqual([
      true,
      'INSPECT_REQUEST_INVALID',
      false,
      'INSPECT_ESP_UNKNOWN',
      true,
    ]);
  });
});
