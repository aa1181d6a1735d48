import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EVENT_TYPES } from '../src/event-types.ts';
import { commonFieldNames, composeSchemas, type Field } from './compose.ts';
import { generatedFiles } from './render.ts';

const composed = new Map(composeSchemas().map(({ key, schema }) => [key, schema]));
const fieldsOf = (key: string): Field[] => composed.get(key)!.fields;
const emailEvent = (fieldsOf('normalized')[0]!.type as { items: { fields: Field[] } }).items;

it('gives every event type all common fields, first and in the same order', () => {
  const common = commonFieldNames();
  for (const type of EVENT_TYPES) {
    const names = fieldsOf(type).map(({ name }) => name);
    expect([type, ...names.slice(0, common.length)]).toEqual([type, ...common]);
    expect(new Set(names).size).toBe(names.length);
  }
});

it('makes EmailEvent the union of all event types, each own field optional there', () => {
  const common = commonFieldNames();
  const union = new Map(emailEvent.fields.map((field) => [field.name, field]));
  const all = EVENT_TYPES.flatMap((type) => fieldsOf(type));
  expect([...union.keys()].toSorted()).toEqual(
    [...new Set(['type', 'known_as', ...all.map(({ name }) => name)])].toSorted(),
  );
  expect(union.get('type')?.values).toEqual(EVENT_TYPES);
  for (const field of all) {
    const { type, default: fallback } = union.get(field.name)!;
    if (common.includes(field.name) || Array.isArray(field.type)) expect(type).toEqual(field.type);
    else expect([type, fallback]).toEqual([['null', field.type], null]);
  }
});

it('documents every field', () => {
  for (const { schema } of composeSchemas()) {
    for (const field of schema.fields) expect([schema.name, field.name, Boolean(field.doc)]).toContain(true);
  }
});

it('has generated files that are what the schemas generate now', () => {
  for (const [path, text] of generatedFiles()) {
    expect(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'), path).toBe(text);
  }
});
