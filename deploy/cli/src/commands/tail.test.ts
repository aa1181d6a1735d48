import { stripVTControlCharacters } from 'node:util';
import { encodeRawHeaders, type ReadRecord } from '@email-events/core';
import { avroType, CodecError, type Decoder, topics } from '@email-events/schemas';
import { describe, expect, test } from 'vitest';
import { decodeRecord, matches, parseFilters, renderRecord } from './tail.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const record = (overrides: Partial<ReadRecord>): ReadRecord => ({
  topic: topics.suppressions,
  partition: 1,
  offset: 7n,
  key: Buffer.from('a@b.example'),
  value: Buffer.from('{}'),
  headers: {},
  timestamp: AT,
  ...overrides,
});

const decoderOf = (decode: () => unknown): Decoder<unknown> => ({ load: async () => {}, decode }) as never;

describe('decodeRecord', () => {
  test('times are ISO 8601, nested ones too, and bytes are base64', async () => {
    const value = { changed_at: AT, reasons: [{ since: AT }], smtp_code: 550, item: Buffer.from('xy') };
    expect(
      await decodeRecord(
        record({}),
        decoderOf(() => value),
      ),
    ).toMatchObject({
      timestamp: '2026-01-02T03:04:05.006Z',
      key: 'a@b.example',
      value: {
        changed_at: '2026-01-02T03:04:05.006Z',
        reasons: [{ since: '2026-01-02T03:04:05.006Z' }],
        smtp_code: 550,
        item: 'eHk=',
      },
    });
  });

  test('every time of the schemas is known by its name', () => {
    for (const key of ['bounced', 'suppression', 'deadLetter'] as const) {
      const { fields } = avroType(key).schema({ exportAttrs: true }) as unknown as {
        fields: { name: string; type: unknown }[];
      };
      for (const { name, type } of fields) {
        if (!JSON.stringify(type).includes('timestamp-millis')) continue;
        expect(name, `${key}.${name}`).toMatch(/_at$|^since$|^at$/);
      }
    }
  });

  test('what cannot be decoded is shown with its problem', async () => {
    const decoder = decoderOf(() => {
      throw new CodecError('VALUE_UNREADABLE', 'not in the wire format');
    });
    expect(await decodeRecord(record({}), decoder)).toMatchObject({
      value: Buffer.from('{}').toString('base64'),
      problem: 'not in the wire format',
    });
  });

  test('a record of email.raw is its request', async () => {
    const headers = encodeRawHeaders({
      requestId: 'r1',
      source: 's',
      esp: 'sendgrid',
      receivedAt: AT,
      method: 'POST',
      url: '/',
      contentType: null,
      remoteAddress: null,
      headers: {},
    });
    const raw = record({ topic: topics.raw, key: null, headers, value: Buffer.from('[1]') });
    expect((await decodeRecord(raw, undefined)).value).toMatchObject({
      requestId: 'r1',
      receivedAt: '2026-01-02T03:04:05.006Z',
      body: '[1]',
    });
  });
});

describe('filters', () => {
  const decoded = (value: unknown) => ({
    ...{ topic: 't', partition: 0, offset: 0n, timestamp: '', key: null, value },
  });

  test('fields by dotted path, lists by any item, all filters together', () => {
    const event = decoded({ esp: 'ses', smtp_code: 550, tags: ['a', 'b'], metadata: { run: 'r1' } });
    expect(matches(event, parseFilters(['esp=ses', 'smtp_code=550', 'tags=b', 'metadata.run=r1']))).toBe(
      true,
    );
    expect(matches(event, parseFilters(['esp=ses', 'tags=c']))).toBe(false);
    expect(matches(decoded(null), parseFilters(['esp=ses']))).toBe(false);
  });

  test('a value may hold an equals sign; a filter without one is refused', () => {
    expect(parseFilters(['url=https://x/?a=b'])).toEqual([{ path: ['url'], text: 'https://x/?a=b' }]);
    expect(() => parseFilters(['esp'])).toThrow('field=value');
  });
});

test('one line: time, topic, ESP, recipient and what is set', () => {
  const value = {
    esp: 'ses',
    recipient: 'a@b.example',
    bounce_class: 'hard',
    campaign: null,
    diagnostic: '550',
  };
  const topic = topics.events('bounced');
  const line = renderRecord(
    { topic, partition: 0, offset: 1n, timestamp: '2026-01-02T03:04:05.006Z', key: null, value },
    topic.length,
  );
  expect(stripVTControlCharacters(line)).toBe(
    '03:04:05.006 email.events.bounced ses        a@b.example bounce_class=hard diagnostic=550',
  );
});
