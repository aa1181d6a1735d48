import { describe, expect, it } from 'vitest';
import { incompatibilities } from './compatibility.ts';
import { checkCompatibility, currentSchemas, readPublished } from './published.ts';

type Field = { name: string; type: unknown; default?: unknown };
const record = (fields: Field[], name = 'R') => ({ type: 'record', name, namespace: 'n', fields });
const a: Field = { name: 'a', type: 'string' };
const time = (logicalType?: string) => ({ type: 'long', ...(logicalType ? { logicalType } : {}) });
const optional = (type: unknown) => ['null', type];

/** code@path by direction. */
function both(before: unknown, after: unknown) {
  const brief = (reader: unknown, writer: unknown) =>
    incompatibilities(reader, writer).map(({ code, path }) => `${code}@${path}`);
  return { older: brief(before, after), newer: brief(after, before) };
}

describe('allowed changes', () => {
  it.each([
    [
      'an optional field added',
      record([a]),
      record([a, { name: 'b', type: optional('string'), default: null }]),
    ],
    ['a field with default removed', record([a, { name: 'b', type: 'int', default: 0 }]), record([a])],
    ['another order', record([a, { name: 'b', type: 'int' }]), record([{ name: 'b', type: 'int' }, a])],
    ['other words', record([a]), { ...record([{ ...a, doc: 'x' } as Field]), doc: 'y' }],
    ['another default', record([{ ...a, default: 'x' }]), record([{ ...a, default: 'y' }])],
  ])('%s', (_, before, after) => {
    expect(both(before, after)).toEqual({ older: [], newer: [] });
  });

  it('a namespace that is inherited on one side, as registries write it, and said on the other', () => {
    const inner = (more: object) => ({ type: 'record', name: 'Inner', fields: [a], ...more });
    const list = (items: unknown) => record([{ name: 'l', type: { type: 'array', items } }]);
    const said = list(inner({ namespace: 'n' }));
    expect(both(said, list(inner({})))).toEqual({ older: [], newer: [] });
    expect(both(said, list(inner({ name: 'n.Inner' })))).toEqual({ older: [], newer: [] });
    const other = both(said, list(inner({ namespace: 'm' })));
    expect(other).toEqual({ older: ['NAME_CHANGED@l[]'], newer: ['NAME_CHANGED@l[]'] });
    expect(both(list(inner({})), list(inner({ namespace: 'm' }))).newer).toEqual(['NAME_CHANGED@l[]']);
  });

  it('a record that is used by name, defined in a field that one side lacks', () => {
    const inner = record([a], 'Inner');
    const before = record([
      { name: 'p', type: optional(inner), default: null },
      { name: 'q', type: optional('Inner'), default: null },
    ]);
    const after = record([{ name: 'q', type: optional(inner), default: null }]);
    expect(both(before, after)).toEqual({ older: [], newer: [] });
    const changed = record([
      { name: 'q', type: optional(record([{ name: 'a', type: 'int' }], 'Inner')), default: null },
    ]);
    expect(both(before, changed).older).toEqual(['TYPE_CHANGED@q.a']);
  });
});

describe('forbidden changes, by direction', () => {
  const list = (items: unknown) => record([{ name: 'l', type: { type: 'array', items } }]);
  const map = (values: unknown) => record([{ name: 'm', type: { type: 'map', values } }]);
  const enumOf = (...symbols: string[]) =>
    record([{ name: 'e', type: { type: 'enum', name: 'E', symbols } }]);
  const t = (type: unknown) => record([{ name: 't', type }]);
  it.each([
    [
      'a required field added',
      record([a]),
      record([a, { name: 'b', type: 'int' }]),
      [],
      ['FIELD_WITHOUT_DEFAULT@b'],
    ],
    [
      'a required field removed',
      record([a, { name: 'b', type: 'int' }]),
      record([a]),
      ['FIELD_WITHOUT_DEFAULT@b'],
      [],
    ],
    [
      'a field renamed',
      record([a]),
      record([{ name: 'z', type: 'string' }]),
      ['FIELD_WITHOUT_DEFAULT@a'],
      ['FIELD_WITHOUT_DEFAULT@z'],
    ],
    ['a default removed', record([{ ...a, default: '' }]), record([a]), [], []],
    ['a type changed', t('string'), t('int'), ['TYPE_CHANGED@t'], ['TYPE_CHANGED@t']],
    ['int made long', t('int'), t('long'), ['TYPE_CHANGED@t'], ['TYPE_CHANGED@t']],
    [
      'string made bytes, which Avro allows both ways',
      t('string'),
      t('bytes'),
      ['TYPE_CHANGED@t'],
      ['TYPE_CHANGED@t'],
    ],
    ['a field made optional', t('string'), t(optional('string')), ['BRANCH_MISSING@t'], []],
    ['a field made required', t(optional('string')), t('string'), [], ['BRANCH_MISSING@t']],
    [
      'a time in another unit',
      t(time('timestamp-millis')),
      t(time('timestamp-micros')),
      ['LOGICAL_TYPE_CHANGED@t'],
      ['LOGICAL_TYPE_CHANGED@t'],
    ],
    [
      'a number made a time',
      t('long'),
      t(time('timestamp-millis')),
      ['LOGICAL_TYPE_CHANGED@t'],
      ['LOGICAL_TYPE_CHANGED@t'],
    ],
    ['other items', list('string'), list('int'), ['TYPE_CHANGED@l[]'], ['TYPE_CHANGED@l[]']],
    ['other values', map('string'), map('bytes'), ['TYPE_CHANGED@m{}'], ['TYPE_CHANGED@m{}']],
    [
      'a field of an item',
      list(record([a], 'I')),
      list(record([], 'I')),
      ['FIELD_WITHOUT_DEFAULT@l[].a'],
      [],
    ],
    ['a record renamed', record([a]), record([a], 'S'), ['NAME_CHANGED@'], ['NAME_CHANGED@']],
    ['an enum symbol added', enumOf('A'), enumOf('A', 'B'), ['SYMBOL_MISSING@e'], []],
    [
      'a default of the second branch, which is no Avro',
      record([]),
      record([{ name: 'b', type: optional('string'), default: 'x' }]),
      ['SCHEMA_INVALID@'],
      ['SCHEMA_INVALID@'],
    ],
    ['no Avro', record([a]), { type: 'record', name: 'R' }, ['SCHEMA_INVALID@'], ['SCHEMA_INVALID@']],
  ])('%s', (_, before, after, older, newer) => {
    expect(both(before, after)).toEqual({ older, newer });
  });
});

describe('the published versions', () => {
  it('fit the current schemas', () => {
    expect(checkCompatibility()).toEqual([]);
  });

  const subject = 'email.events.bounced-value';
  const v1 = readPublished().get(subject)![0] as ReturnType<typeof record>;
  const checked = (schema: unknown, versions: unknown[]) =>
    checkCompatibility(new Map([[subject, schema]]), new Map([[subject, versions]])).map(
      ({ version, code, direction, path }) => `v${version} ${code} ${direction ?? ''} ${path}`.trimEnd(),
    );
  const plus = (...fields: Field[]) => ({ ...v1, fields: [...v1.fields, ...fields] });

  it('must be frozen anew after a change', () => {
    const added = plus({ name: 'x', type: optional('int'), default: null });
    expect(checked(added, [v1])).toEqual(['v1 NOT_FROZEN']);
    expect(checked(added, [v1, added])).toEqual([]);
    expect(checked({ ...v1, doc: 'other words' }, [v1])).toEqual(['v1 NOT_FROZEN']);
    expect(checked(v1, [])).toEqual(['v0 NOT_FROZEN']);
  });

  it('bind for ever, not only the newest', () => {
    const v2 = plus();
    const v3 = plus({ name: 'attempt', type: optional('string'), default: null });
    const v1WithInt = plus({ name: 'attempt', type: optional('int'), default: null });
    expect(checked(v3, [v1WithInt, v2, v3])).toEqual([
      'v1 BRANCH_MISSING reader-newer attempt',
      'v1 BRANCH_MISSING reader-older attempt',
    ]);
  });

  it('are numbered without gaps, in folders of known subjects', () => {
    expect(checked(v1, [undefined, v1])).toEqual(['v1 VERSION_MISSING']);
    const stray = checkCompatibility(currentSchemas(), new Map([...readPublished(), ['x-value', [v1]]]));
    expect(stray.map(({ subject, code }) => [subject, code])).toEqual([['x-value', 'SUBJECT_UNKNOWN']]);
  });
});
