import { describe, expect, it } from 'vitest';
import type { EspRequest } from '../adapter.ts';
import { bounceVerdict } from './bounce.ts';
import { smtpFacts } from './bounce-table.ts';
import { addressList, bareAddress, integer, messageId, metadataOf, tagsOf, text } from './fields.ts';
import { decodeForeign, encodeForeign, hasForeignBytes } from './foreign-bytes.ts';
import { firstField, lastField, parseForm } from './form.ts';
import { JsonItem, parseBody, parseJson, stringifyJson } from './json.ts';
import { anyTime, epochTime, firstTime, isoTime } from './time.ts';

const request = (contentType: string, body: string | Buffer): EspRequest => ({
  method: 'POST',
  url: '/',
  headers: { 'content-type': contentType },
  body: Buffer.from(body),
  receivedAt: 0,
});
const UNREADABLE = expect.objectContaining({ code: 'NORMALIZE_BODY_UNREADABLE' });

describe('JSON', () => {
  it.each([
    '[9007199254740991]',
    '[9007199254740993]',
    '{"a":-12345678901234567890,"b":[1.5,"12345678901234567890"]}',
    '{"deep":{"id":4323372036854775807}}',
    '[ 12345678901234567890 ]',
  ])('keeps every digit of %s', (json) => {
    expect(stringifyJson(parseJson(json))).toBe(json.replaceAll(' ', ''));
  });

  it('reads short numbers as numbers, long integers as bigint, and leaves fractions alone', () => {
    expect(parseJson('[1,1793610930.123456,19421777835146490,1e20,"19421777835146490"]')).toEqual([
      1,
      1793610930.123456,
      19421777835146490n,
      1e20,
      '19421777835146490',
    ]);
  });

  it('refuses what is not JSON, and drops a byte order mark', () => {
    expect(() => parseBody(Buffer.from([0xff, 0x22]))).toThrow(UNREADABLE);
    expect(() => parseBody(Buffer.from('{'))).toThrow(UNREADABLE);
    expect(parseBody(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 });
  });

  it('makes the text of an item when asked, with long integers', () => {
    expect(new JsonItem(0, { id: 4323372036854775807n }).text).toBe('{"id":4323372036854775807}');
    expect(new JsonItem(0, undefined).text).toBe('null');
  });
});

describe('bytes that are no UTF-8', () => {
  const bytes = (...parts: (string | number)[]) =>
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));

  it.each([
    ['latin-1', bytes('caf', 0xe9)],
    ['cut off', bytes('ä€😀', 0xf0, 0x9f, 0x98)],
    ['overlong', bytes(0xc0, 0xaf, 0xe0, 0x80, 0x80, 'x')],
    ['surrogates', bytes(0xed, 0xa0, 0x80, 'é')],
    ['beyond Unicode', bytes(0xf4, 0x90, 0x80, 0x80, 0xf5, '€')],
    ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ])('keep apart: %s', (_name, raw) => {
    const text = decodeForeign(raw);
    expect(hasForeignBytes({ deep: ['ok', { [text]: 1 }] })).toBe(true);
    expect(encodeForeign(text).equals(raw)).toBe(true);
    // Valid text is read as always.
    expect(text.replace(/[\udc80-\udcff](?<![\ud800-\udbff].)/g, '')).toBe(
      new TextDecoder().decode(raw).replaceAll('\ufffd', ''),
    );
  });

  it('are none in valid text, whatever it is', () => {
    const text = 'a ä € 😀 \u{10ffff} \ufffd \ud7ff \ue000';
    expect(decodeForeign(Buffer.from(text))).toBe(text);
    expect(hasForeignBytes([text, 1, null, { a: text }])).toBe(false);
    expect(encodeForeign(text).equals(Buffer.from(text))).toBe(true);
  });
});

describe('times', () => {
  const at = Date.parse('2026-11-02T09:15:30.000Z');
  it.each([
    [1793610930, 0],
    ['1793610930', 0],
    [1793610930.908, 908],
    ['1793610930.908181', 908],
    [1793610930908, 908],
  ])('reads %s as an epoch', (value, ms) => expect(epochTime(value)).toBe(at + ms));

  it.each([
    ['2026-11-02T09:15:30Z', 0],
    ['2026-11-02T09:15:30.9070259Z', 907],
    ['2026-11-02T05:15:30.5-04:00', 500],
    ['2026-11-02 09:15:30.123456+00', 123],
    ['2026-11-02T09:15:30', 0],
    ['2026-11-02T10:15:30+0100', 0],
    ['Mon, 2 Nov 2026 10:15:30 +0100', 0],
  ])('reads %s', (value, ms) => expect(isoTime(value)).toBe(at + ms));

  it.each([
    ['2026-13-02T09:15:30Z', '2026-13-02T09:15:30Z'],
    ['11/02/2026', '11/02/2026'],
    ['now', 'now'],
    ['9999-01-01T00:00:00Z', '9999-01-01T00:00:00Z'],
    ['', null],
    [null, null],
    [undefined, null],
    [0, '0'],
    [-1, '-1'],
    [1793610930908181n, '1793610930908181'],
    [Number.NaN, 'NaN'],
    [1e300, '1e+300'],
    [{ sec: 1n }, '{"sec":1}'],
    [[], '[]'],
  ])('cannot read %s, and says so', (value, said) => expect(anyTime(value)).toEqual({ said }));

  it('quotes what it cannot read up to 100 characters, none of them half a one', () => {
    expect(anyTime('x'.repeat(101))).toEqual({ said: 'x'.repeat(100) });
    expect(anyTime(`${'x'.repeat(99)}\u{1f642}`)).toEqual({ said: `${'x'.repeat(99)}\ufffd` });
    expect(anyTime(nested(200_000))).toEqual({ said: null });
  });

  it('takes the first that can be read, else what was said first', () => {
    expect(firstTime(undefined, 'now', '2026-11-02T09:15:30Z', 1)).toBe(at);
    expect(firstTime(null, 'now', 'then')).toEqual({ said: 'now' });
    expect(firstTime()).toEqual({ said: null });
  });
});

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

describe('fields', () => {
  it('reads scalars as text and nothing else', () => {
    expect([text('a'), text(''), text(1), text(5n), text(false), text(null), text([]), text({})]).toEqual([
      'a',
      null,
      '1',
      '5',
      'false',
      null,
      null,
      null,
    ]);
  });

  it('reads whole numbers that fit an Avro int', () => {
    expect([
      integer('5'),
      integer(5),
      integer(''),
      integer(1.5),
      integer(2 ** 31),
      integer('x'),
      integer(null),
    ]).toEqual([5, 5, null, null, null, null, null]);
  });

  it('reads tags from one text or a list, and metadata of any kind', () => {
    expect([tagsOf('a'), tagsOf(''), tagsOf(['a', 1, null, '']), tagsOf(undefined)]).toEqual([
      ['a'],
      [],
      ['a', '1'],
      [],
    ]);
    expect(metadataOf({ a: 'x', b: 1, c: { d: [2n] } })).toEqual({ a: 'x', b: '1', c: '{"d":[2]}' });
    expect([metadataOf([]), metadataOf(null), metadataOf('x')]).toEqual([{}, {}, {}]);
  });

  it('reads addresses without their names', () => {
    expect(bareAddress(' Ada@Example.com ')).toBe('Ada@Example.com');
    expect(bareAddress('"Lovelace, <A>" <ada@example.com>')).toBe('ada@example.com');
    expect(bareAddress(7)).toBe('');
    expect(addressList('"L, A" <a@x.com>, b@x.com (B, the second), <c@x.com>,')).toEqual([
      'a@x.com',
      'b@x.com',
      'c@x.com',
    ]);
    expect(addressList('"a \\" , b" <a@x.com>, <b@x.com')).toEqual(['a@x.com', 'b@x.com']);
    expect(addressList('<"a,>b"@x.com>, "c,d"@x.com')).toEqual(['"a,>b"@x.com', '"c,d"@x.com']);
    expect(messageId(' <a@b> ')).toBe('a@b');
  });
});

it.each([
  ['"Lovelace, Ada" <"a<b"@example.com>', '"a<b"@example.com'],
  ['"a<b"@example.com', '"a<b"@example.com'],
  ['Ada <"a>b c"@example.com>', '"a>b c"@example.com'],
  ['"a \\" <x> b" <ada@example.com>', 'ada@example.com'],
  ['"never closed <ada@example.com>', 'ada@example.com'],
  ['Ada <ada@example.com> "x', 'ada@example.com'],
  ['<ada@example.com', 'ada@example.com'],
])('reads the address of %s', (written, address) => expect(bareAddress(written)).toBe(address));

describe('forms', () => {
  it('reads urlencoded fields with repetitions', () => {
    const fields = parseForm(
      request('application/x-www-form-urlencoded; charset=utf-8', 'a=1&b=%C3%A4+x&a=2'),
    );
    expect([firstField(fields, 'a'), lastField(fields, 'a'), firstField(fields, 'b')]).toEqual([
      '1',
      '2',
      'ä x',
    ]);
  });

  it('reads multipart fields and leaves files out', () => {
    const body = [
      '--b',
      'Content-Disposition: form-data; name="a"',
      '',
      'one\r\ntwo',
      '--b',
      'content-disposition: form-data; name="f"; filename="x"',
      '',
      'file',
      '--b',
      'Content-Type: text/plain',
      'Content-Disposition: form-data; name=c',
      '',
      '',
      '--b--',
      '',
    ].join('\r\n');
    expect(parseForm(request('multipart/form-data; boundary="b"', body))).toEqual([
      ['a', 'one\r\ntwo'],
      ['c', ''],
    ]);
  });

  it.each([
    ['multipart/form-data', '--b--'],
    ['multipart/form-data; boundary=b', 'nothing'],
    ['multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut'],
    ['multipart/form-data; boundary=b', '--b\r\nno headers\r\n--b--'],
    ['multipart/form-data; boundary=b', '--b\r\nX: y\r\n\r\nno name\r\n--b--'],
  ])('refuses %s: %s', (type, body) => expect(() => parseForm(request(type, body))).toThrow(UNREADABLE));
});

describe('SMTP answers', () => {
  it.each([
    ['550 5.1.1 The email account does not exist', 550, '5.1.1', 'hard', 'invalid_mailbox'],
    ['smtp; 550 5.1.1 <ada@example.com>: user unknown', 550, '5.1.1', 'hard', 'invalid_mailbox'],
    ['smtp;452 4.2.2 over quota', 452, '4.2.2', 'soft', 'mailbox_full'],
    ['552 5.2.2 mailbox is full', 552, '5.2.2', 'soft', 'mailbox_full'],
    ['554 5.7.1 blocked using spamhaus', 554, '5.7.1', 'soft', 'spam'],
    ['550 5.7.1 some words', 550, '5.7.1', 'soft', 'policy'],
    ['550-5.7.26 unauthenticated mail', 550, '5.7.26', 'soft', 'policy'],
    ['5.4.4 host not found: NXDOMAIN', null, '5.4.4', 'hard', 'domain_not_found'],
    ['5.4.4 unable to route', null, '5.4.4', 'soft', 'domain_not_found'],
    ['550 relaying denied', 550, null, 'soft', 'relay'],
    ['421 try again', 421, null, 'soft', 'other'],
    ['552 message size exceeds limit', 552, null, 'soft', 'too_large'],
    ['connect to 10.5.1.1: connection timed out', null, null, 'soft', 'timeout'],
    ['waited 550ms for 5.1.1.9', null, null, 'undetermined', 'other'],
  ])('%s', (answer, code, enhanced, expectedClass, category) => {
    const facts = smtpFacts(answer);
    expect(facts).toEqual({ code, enhanced });
    expect(bounceVerdict(facts, answer)).toEqual({
      bounce_class: expectedClass,
      bounce_category: category,
    });
  });

  it.each([
    ['550 5.1.1 no such user', 'hard', 'hard', 'invalid_mailbox'],
    ['550 5.1.1 no such user', 'soft', 'hard', 'invalid_mailbox'],
    ['550 5.1.1 no such user', 'message', 'undetermined', 'invalid_mailbox'],
    ['550 mailbox unavailable', 'hard', 'hard', 'invalid_mailbox'],
    ['550 mailbox unavailable', undefined, 'hard', 'invalid_mailbox'],
    ['550 mailbox unavailable', 'soft', 'undetermined', 'invalid_mailbox'],
    ['550 5.2.1 x', 'hard', 'hard', 'invalid_mailbox'],
    ['550 5.2.1 x', undefined, 'undetermined', 'invalid_mailbox'],
    ['550 5.7.1 x', 'address', 'soft', 'policy'],
    ['550 x', 'address', 'hard', 'invalid_mailbox'],
    ['550 x', 'hard', 'hard', 'other'],
    ['550 x', 'soft', 'soft', 'other'],
    ['550 x', 'nothing', 'undetermined', 'other'],
    ['550 x', undefined, 'undetermined', 'other'],
    ['450 4.0.0 x', 'hard', 'undetermined', 'other'],
    ['452 4.2.2 x', 'hard', 'soft', 'mailbox_full'],
  ] as const)('%s, which the ESP calls %s, is %s', (answer, says, bounceClass, category) => {
    expect(bounceVerdict(smtpFacts(answer), answer, { says })).toEqual({
      bounce_class: bounceClass,
      bounce_category: category,
    });
  });

  it.each([
    ['policy', 'hard', 'soft', 'policy'],
    ['domain_not_found', 'hard', 'hard', 'domain_not_found'],
    ['invalid_mailbox', 'soft', 'undetermined', 'invalid_mailbox'],
    ['timeout', 'nothing', 'undetermined', 'timeout'],
    ['spam', undefined, 'soft', 'spam'],
  ] as const)(
    'a cause of the ESP’s own, %s, that it calls %s, is %s',
    (cause, says, bounceClass, category) => {
      expect(bounceVerdict({ code: null, enhanced: null }, null, { says, category: cause })).toEqual({
        bounce_class: bounceClass,
        bounce_category: category,
      });
    },
  );

  it('trusts fields of their own before the text', () => {
    expect(smtpFacts('550 5.1.1 x', '450', '4.2.1')).toEqual({ code: 450, enhanced: '4.2.1' });
    expect(smtpFacts('550 5.1.1 x', 605, 'unknown')).toEqual({ code: 550, enhanced: '5.1.1' });
    expect(smtpFacts(null)).toEqual({ code: null, enhanced: null });
  });
});
