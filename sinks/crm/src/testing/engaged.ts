import { ENGAGEMENTS } from '../config.ts';
import type { Instants } from '../engagement.ts';

/** Of a contact's fields, as they are named by default, for a harness. */
export function instantsIn(
  fields: { readonly [name: string]: unknown },
  parse: (value: never) => number,
): Instants {
  const held = ENGAGEMENTS.flatMap((name) => {
    const value = fields[`email_last_${name}`];
    return value === undefined || value === null ? [] : [[name, parse(value as never)] as const];
  });
  return Object.fromEntries(held);
}
