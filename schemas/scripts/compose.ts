import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

export type Field = { name: string; type: unknown; default?: unknown; doc?: string; values?: string[] };
type Record = { type: 'record'; name: string; namespace: string; doc: string; fields: Field[] };

/** One schema of the project: the subject's topic, or null for a record that several topics share. */
export interface Composed {
  readonly key: string;
  readonly schema: Record;
}

const avro = (name: string) => JSON.parse(readFileSync(new URL(`../avro/${name}`, import.meta.url), 'utf8'));

/** All schemas, complete: the eleven event types out of common and own fields, then the rest as written. */
export function composeSchemas(): Composed[] {
  const common = commonFields();
  const { fields, types } = avro('events/types.json') as {
    fields: { [name: string]: Omit<Field, 'name'> };
    types: { [type: string]: { name: string; doc: string; adds: string[] } };
  };
  const own = (name: string): Field => {
    const field = fields[name];
    if (!field) throw new Error(`avro/events/types.json: no field ${name}`);
    return Array.isArray(field.type) ? { name, ...field, default: null } : { name, ...field };
  };
  const events = Object.entries(types).map(([type, { name, doc, adds }]) => ({
    key: type,
    schema: record(name, doc, [...common, ...adds.map(own)]),
  }));
  return [
    ...events,
    { key: 'normalized', schema: normalizedBatch(common, Object.keys(fields).map(own), Object.keys(types)) },
    { key: 'suppression', schema: avro('suppression.avsc') },
    { key: 'deadLetter', schema: avro('dead-letter.avsc') },
    { key: 'seen', schema: avro('seen-batch.avsc') },
    { key: 'recipientState', schema: avro('recipient-state.avsc') },
    { key: 'operatorAction', schema: avro('operator-action.avsc') },
    { key: 'tokens', schema: avro('token-batch.avsc') },
    { key: 'eventMark', schema: avro('event-mark.avsc') },
    { key: 'alert', schema: avro('alert.avsc') },
    { key: 'mailWindow', schema: avro('mail-window.avsc') },
  ];
}

/** The fields that every event type has, first and in this order. */
export function commonFields(): Field[] {
  return avro('events/common.json').fields;
}

export const commonFieldNames = (): string[] => commonFields().map(({ name }) => name);

/** A record's fields before and after the common ones; undefined: it does not have these. */
export function aroundCommon(fields: readonly Field[]): { before: Field[]; after: Field[] } | undefined {
  const common = commonFields();
  const end = (start: number) => start + common.length;
  const at = fields.findIndex((_, index) => isDeepStrictEqual(fields.slice(index, end(index)), common));
  return at < 0 ? undefined : { before: fields.slice(0, at), after: fields.slice(end(at)) };
}

function record(name: string, doc: string, fields: Field[]): Record {
  return { type: 'record', name, namespace: 'email_events', doc, fields };
}

/** The internal envelope is the union of all types' fields, so that routing needs no second object. */
function normalizedBatch(common: Field[], own: Field[], types: string[]): Record {
  const optional = own.map((field) =>
    Array.isArray(field.type) ? field : { ...field, type: ['null', field.type], default: null },
  );
  const event = record('EmailEvent', 'An event of any type.', [
    { name: 'type', type: 'string', values: types, doc: 'Event type.' },
    ...common,
    ...optional,
    {
      name: 'known_as',
      type: { type: 'array', items: 'string' },
      default: [],
      doc: 'Other ids that a copy of this event may have been given, by an earlier version or before the account was named: it is a duplicate if any of them was seen.',
    },
  ]);
  return record(
    'NormalizedBatch',
    'The events of one transaction whose recipients belong to one partition.',
    [
      {
        name: 'events',
        type: { type: 'array', items: event },
        doc: 'In the order in which they were received.',
      },
      {
        name: 'actions',
        type: { type: 'array', items: avro('operator-action.avsc') },
        default: [],
        doc: 'What an operator orders about recipients of this partition; taken before the events.',
      },
    ],
  );
}
