import { type EmailEvent, EVENT_TYPES, type EventType, recipientKey, schemas } from '@email-events/schemas';

/** How a value is written in a row. time and long are eight bytes, int is four; texts are a list, pairs a map. */
export type Kind = 'text' | 'time' | 'long' | 'int' | 'flag' | 'texts' | 'pairs';

export interface EventColumn {
  readonly name: string;
  readonly kind: Kind;
  readonly nullable: boolean;
}

/** An Avro field, as far as rows need it. */
export interface AvroField {
  readonly name: string;
  readonly type: unknown;
  readonly default?: unknown;
}

const PLAIN: { readonly [type: string]: Kind } = {
  string: 'text',
  long: 'long',
  int: 'int',
  boolean: 'flag',
};

/**
 * The columns of events: the type, the key of the recipient, and every field that some type has, under its name. So the schemas are the one
 * description of a row; a column of a new field is made by a migration, and a test compares the two.
 */
export const EVENT_COLUMNS: readonly EventColumn[] = columnsOf();

function columnsOf(): EventColumn[] {
  const text = { kind: 'text', nullable: false } as const;
  const columns = new Map<string, EventColumn>([
    ['type', { name: 'type', ...text }],
    ['recipient_key', { name: 'recipient_key', ...text }],
  ]);
  const fields = EVENT_TYPES.flatMap((type) => fieldsOf(type));
  const inAll = new Set(fieldsOf('queued').map(({ name }) => name));
  for (const { name, type } of fields) {
    const column = kindOf(type);
    if (!column) throw new Error(`no column can hold the field ${name}`);
    // A field that only some types have is null in rows of the others.
    columns.set(name, { name, kind: column.kind, nullable: column.nullable || !inAll.has(name) });
  }
  return [...columns.values()];
}

/** Fields of a type as this version knows them. */
export function fieldsOf(type: EventType): readonly AvroField[] {
  return (schemas[type] as unknown as { readonly fields: readonly AvroField[] }).fields;
}

/** Undefined: of none that a row has. */
export function kindOf(type: unknown): Pick<EventColumn, 'kind' | 'nullable'> | undefined {
  if (!Array.isArray(type)) {
    const kind = plainKindOf(type);
    return kind && { kind, nullable: false };
  }
  const kind = type.length === 2 && type[0] === 'null' ? plainKindOf(type[1]) : undefined;
  return kind && kind !== 'texts' && kind !== 'pairs' ? { kind, nullable: true } : undefined;
}

function plainKindOf(type: unknown): Kind | undefined {
  if (typeof type === 'string') return PLAIN[type];
  const { type: of, items, values, logicalType } = type as { [property: string]: unknown };
  if (of === 'array') return items === 'string' ? 'texts' : undefined;
  if (of === 'map') return values === 'string' ? 'pairs' : undefined;
  if (of === 'long' && logicalType === 'timestamp-millis') return 'time';
  return typeof of === 'string' && logicalType === undefined ? PLAIN[of] : undefined;
}

/** Values of a row, in the order of the columns; undefined or null where the type has no such field. */
export function valuesOf(type: EventType, key: string | null, event: EmailEvent): unknown[] {
  const fields = event as unknown as { readonly [name: string]: unknown };
  return EVENT_COLUMNS.map(({ name }) => {
    if (name === 'type') return type;
    return name === 'recipient_key' ? keyOf(key, event.recipient) : fields[name];
  });
}

/** Records are keyed by recipient; an event without one is keyed by something else. */
function keyOf(key: string | null, recipient: string): string {
  return recipient === '' ? '' : (key ?? recipientKey(recipient));
}
