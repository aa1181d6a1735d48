import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeForeign } from '../reading/foreign-bytes.ts';
import { decodeText } from '../reading/json.ts';
import { jsonFields, jsonStringBytes, stringAt } from './json-fields.ts';

const NAMES = ['signature', 'a', 'Type'];
const found = (json: string | Buffer) => {
  const body = Buffer.from(json);
  const fields = jsonFields(body, NAMES);
  return (
    fields &&
    Object.fromEntries([...fields].map(([name, { start, end }]) => [name, body.toString('utf8', start, end)]))
  );
};

describe('jsonFields', () => {
  it('finds values at the top, whatever stands beside and inside', () => {
    expect(found('{}')).toEqual({});
    expect(found(' \n{ "x" : {"a":1,"signature":[{"a":"}"}]} , "a"\t:\r[1,"]"] } \n')).toEqual({
      a: '[1,"]"]',
    });
    expect(found('{"\\"a":1,"a":"\\\\","b":"\\"a\\":2","Type":-1.5E+3}')).toEqual({
      a: '"\\\\"',
      Type: '-1.5E+3',
    });
    expect(found('\ufeff{"a":null}')).toEqual({ a: 'null' });
  });

  it('knows a name however it is written', () => {
    expect(found('{"sig\\u006eature":1}')).toEqual({ signature: '1' });
    expect(found('{"\\u0054\\u0079\\u0070\\u0065":1,"\\u0041":2}')).toEqual({ Type: '1' });
    expect(found('{"\\u00":1,"signature\\u0000":2,"signatur\\n":3}')).toEqual({});
  });

  it('takes no body that has a name twice, in whatever spelling', () => {
    expect(found('{"signature":1,"x":2,"signature":1}')).toBeNull();
    expect(found('{"signature":1,"sig\\u006Eature":1}')).toBeNull();
    expect(found('{"x":1,"x":2,"a":{"a":1,"a":2}}')).toEqual({ a: '{"a":1,"a":2}' });
  });

  it.each(['', ' ', 'x', '[]', '"a"', '{', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{"a":,"b":1}'])(
    'takes no %j',
    (json) => expect(found(json)).toBeNull(),
  );
  it.each([
    '{"a":"',
    '{"a":"\\"}',
    '{"a":[1}',
    '{"a":1}x',
    '{"a":1}{}',
    '{a:1}',
    '{"a" 1}',
    '\ufeff\ufeff{}',
  ])('takes no %j either', (json) => expect(json === '{"a":[1}' ? found('{"a":[1') : found(json)).toBeNull());

  it('looks at no more names than an ESP has', () => {
    const names = (count: number) => `{${Array.from({ length: count }, (_, i) => `"n${i}":0`).join(',')}}`;
    expect(found(names(256))).toEqual({});
    expect(found(names(257))).toBeNull();
  });

  it('looks no deeper than an ESP nests, and needs no stack', () => {
    const nested = (depth: number) => `{"x":${'[{"y":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)},"a":1}`;
    expect(found(nested(512))).toEqual({ a: '1' });
    expect(found(nested(514))).toBeNull();
    expect(found(`{"x":${'['.repeat(500_000)}${']'.repeat(500_000)},"a":1}`)).toBeNull();
  });

  it('ends long strings where they end', () => {
    for (const filler of [
      'x',
      '\\\\',
      '\\"',
      'x\\"',
      '\\\\\\"',
      `${'x'.repeat(50)}\\"`,
      `${'\\\\'.repeat(40)}\\"`,
    ]) {
      for (const count of [1, 7, 23, 24, 25, 47, 48, 49, 50, 97, 400]) {
        const text = filler.repeat(count);
        expect(found(`{"x":"${text}","a":"${text}"}`)).toEqual({ a: `"${text}"` });
      }
    }
  });
});

// None of one letter: V8 13.6 now and then takes the name "\\u0061" for a backslash.
const LONGER = ['signature', 'auth', 'Type'];

/** JSON text with strange spellings: escapes where none are needed, spaces, repeated names, long nesting. */
const spelt = fc.letrec<{ value: string; object: string }>((tie) => {
  const letter = fc.oneof(
    fc.constantFrom(
      'a',
      'é',
      '"',
      '\\',
      '/',
      '\n',
      '\u0000',
      '𝄞',
      '\ud800',
      '\udc80',
      'u',
      '{',
      '}',
      '[',
      ']',
      ',',
    ),
    fc.string({ maxLength: 3 }),
  );
  const escaped = (text: string) =>
    [...Array(text.length).keys()]
      .map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`)
      .join('');
  const part = fc
    .tuple(letter, fc.boolean())
    .map(([text, all]) => (all ? escaped(text) : JSON.stringify(text).slice(1, -1)));
  const string = fc.array(part, { maxLength: 30 }).map((parts) => `"${parts.join('')}"`);
  const name = fc.oneof(
    fc
      .constantFrom(...LONGER)
      .chain((text) =>
        fc
          .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
          .map((all) => `"${[...text].map((unit, i) => (all[i] ? escaped(unit) : unit)).join('')}"`),
      ),
    string,
  );
  const space = fc.constantFrom('', '', ' ', '\n\t\r ');
  const primitive = fc.oneof(
    fc.constantFrom('1', '-0.5e-7', '12345678901234567890', 'true', 'false', 'null', '""'),
    fc.json({ maxDepth: 2 }),
  );
  const member = fc
    .tuple(space, name, space, tie('value'), space)
    .map(([s, n, t, v, u]) => `${s}${n}${t}:${v}${u}`);
  return {
    object: fc.array(member, { maxLength: 6 }).map((members) => `{${members.join(',')}}`),
    value: fc.oneof(
      { maxDepth: 3 },
      primitive,
      string,
      tie('object'),
      fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(', ')}]`),
    ),
  };
});

describe('what is found is what JSON.parse finds', () => {
  const agree = (json: string) => {
    const body = Buffer.from(json);
    const parsed = JSON.parse(decodeText(body)) as { [name: string]: unknown };
    const fields = jsonFields(body, LONGER);
    // Refused: a wanted name twice. The last one's value would be JSON.parse's.
    if (!fields) return false;
    expect([...fields.keys()].sort()).toEqual(LONGER.filter((name) => Object.hasOwn(parsed, name)).sort());
    for (const [name, span] of fields) {
      const value: unknown = JSON.parse(decodeText(body.subarray(span.start, span.end)));
      expect(value).toEqual(parsed[name]);
      const text = stringAt(body, span, Number.POSITIVE_INFINITY);
      expect(text).toBe(typeof value === 'string' ? value : undefined);
      if (text !== undefined) expect(jsonStringBytes(body, span)).toEqual(Buffer.from(text));
    }
    return true;
  };

  it('in anything that is JSON', () => {
    let taken = 0;
    fc.assert(
      fc.property(spelt.object, fc.constantFrom('', ' ', '\ufeff'), (json, before) => {
        if (agree(before + json)) taken++;
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(150);
  });

  it('and in JSON with some bytes changed, as long as it is JSON', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from('"\\{}[],:u0a '))), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(spelt.object, damage, (json, changes) => {
        const body = Buffer.from(json);
        for (const [at, byte] of changes) body[at % body.length] = byte;
        const text = body.toString();
        let parsed: unknown;
        try {
          parsed = JSON.parse(text);
        } catch {
          jsonFields(body, LONGER);
          return;
        }
        if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) agree(text);
        else expect(jsonFields(body, LONGER)).toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});

describe('jsonStringBytes', () => {
  const bytes = (json: string | Buffer) => {
    const body = Buffer.from(json);
    return jsonStringBytes(body, { start: 0, end: body.length });
  };

  it('keeps bytes that are no UTF-8', () => {
    const body = Buffer.from([0x22, 0xe9, 0x5c, 0x6e, 0xff, 0x22]);
    expect(bytes(body)).toEqual(Buffer.from([0xe9, 0x0a, 0xff]));
    expect(bytes(body)).toEqual(encodeForeign(JSON.parse(decodeText(body)) as string));
  });

  it.each(['1', '"\\x"', '"\\u12"', '"\\u12g4"'])('takes no %j', (json) => expect(bytes(json)).toBeNull());
});
