import type { EventType } from '@email-events/schemas';
import {
  type AvroField,
  EVENT_COLUMNS,
  type EventColumn,
  fieldsOf,
  type Kind,
  kindOf,
} from './event-columns.ts';
import { RowBuffer, writeValues } from './row-binary.ts';

/** How a value stands in Avro and in a row. Times are longs in both. */
export const CODES = { text: 0, long: 1, time: 1, int: 2, flag: 3, texts: 4, pairs: 5 } as const satisfies {
  readonly [K in Kind]: number;
};

/** A field of the writer, in the order of the bytes. */
export interface Step {
  readonly code: number;
  readonly nullable: boolean;
}

/** A column of the row, or several that are constant. */
export interface Target {
  /** Position of its step; or one of the two below. */
  readonly from: number;
  readonly nullable: boolean;
  /** The same in every row. */
  readonly constant: Buffer;
}
export const CONSTANT = -1;
export const RECIPIENT_KEY = -2;

/** How values of one writer's schema become rows: made once for it. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly targets: readonly Target[];
  readonly occurredAt: number;
  readonly recipient: number;
  /** What a row has besides its texts and lists. */
  readonly mostBytes: number;
}

const NO_BYTES = Buffer.alloc(0);

/** Undefined where only Avro's own rules for reading another version tell what is meant: such values are read as objects. */
export function planOf(type: EventType, writer: unknown): Plan | undefined {
  const written = (writer as { readonly fields?: readonly AvroField[] }).fields ?? [];
  const steps: Step[] = [];
  for (const field of written) {
    const of = kindOf(field.type);
    if (!of) return undefined;
    steps.push({ code: CODES[of.kind], nullable: of.nullable });
  }
  const read = new Map(fieldsOf(type).map((field) => [field.name, field]));
  const targets: Target[] = [];
  for (const column of EVENT_COLUMNS) {
    const from = written.findIndex(({ name }) => name === column.name);
    const target = targetOf(type, column, read.get(column.name), from, steps[from]);
    if (!target) return undefined;
    const last = targets.at(-1);
    if (target.from !== CONSTANT || last?.from !== CONSTANT) targets.push(target);
    else targets.splice(-1, 1, { ...last, constant: Buffer.concat([last.constant, target.constant]) });
  }
  const positionOf = (name: string) => written.findIndex((field) => field.name === name);
  const [occurredAt, recipient] = [positionOf('occurred_at'), positionOf('recipient')];
  if (occurredAt < 0 || recipient < 0) return undefined;
  let mostBytes = 0;
  for (const { constant } of targets) mostBytes += 9 + constant.length;
  return { steps, targets, occurredAt, recipient, mostBytes };
}

function targetOf(
  type: EventType,
  column: EventColumn,
  field: AvroField | undefined,
  from: number,
  step: Step | undefined,
): Target | undefined {
  const { nullable, kind, name } = column;
  if (name === 'type') return constant(column, type);
  if (name === 'recipient_key') return { from: RECIPIENT_KEY, nullable, constant: NO_BYTES };
  // A field that this type does not have, whatever an odd writer says.
  if (!field) return constant(column, null);
  if (!step) return field.default === undefined ? undefined : constant(column, field.default);
  const fits = step.code === CODES[kind] && (nullable || !step.nullable);
  return fits ? { from, nullable, constant: NO_BYTES } : undefined;
}

function constant(column: EventColumn, value: unknown): Target | undefined {
  if (value === null && !column.nullable) return undefined;
  const out = new RowBuffer();
  writeValues(out, [column], [value]);
  return { from: CONSTANT, nullable: column.nullable, constant: Buffer.concat(out.finish().chunks) };
}
