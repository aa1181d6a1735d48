import { describe, expect, it } from 'vitest';
import { decodeForeign, encodeForeign, hasForeignBytes } from './foreign-bytes.ts';
import { JsonItem, parseBody, parseJson, stringifyJson } from './json.ts';
import { anyTime, epochTime, firstTime, isoTime } from './time.ts';

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
