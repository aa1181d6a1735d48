import { describe, expect, it } from 'vitest';
import {
  addressList,
  bareAddress,
  headerPairs,
  integer,
  messageId,
  metadataOf,
  tagsOf,
  text,
} from './fields.ts';

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

describe('headers of a message', () => {
  it.each<[string, unknown, [string, string][]]>([
    [
      'a list of names and values',
      [
        { name: 'X-A', value: 'a' },
        { name: 'X-B', value: 7 },
      ],
      [
        ['X-A', 'a'],
        ['X-B', '7'],
      ],
    ],
    [
      'a list of pairs',
      [
        ['X-A', 'a'],
        ['X-A', 'b'],
      ],
      [
        ['X-A', 'a'],
        ['X-A', 'b'],
      ],
    ],
    [
      'an object',
      { 'X-A': 'a', 'X-B': ['b', 'c'] },
      [
        ['X-A', 'a'],
        ['X-B', 'b'],
        ['X-B', 'c'],
      ],
    ],
    ['what is none', 'X-A: a', []],
    ['nothing', undefined, []],
    [
      'odd entries',
      [null, 'x', { name: 1, value: 'a' }, { name: 'X-A' }, { name: 'X-B', value: {} }, []],
      [],
    ],
  ])('%s', (_what, value, pairs) => {
    expect([...headerPairs(value)]).toEqual(pairs);
  });
});
