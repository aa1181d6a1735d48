import type { Suppression } from '@email-events/schemas';
import { z } from 'zod';

/** An option of a CRM that has what streams are to us: by the scope of a reason, its id there. */
export const streamsOption = <T>(id: z.ZodType<T>, what: string) =>
  z
    .record(z.string().min(1), id)
    .default({})
    .describe(`${what} by stream, or by \`account:NAME\`: who leaves the one leaves the other`);

/** What the recipient left, in the CRM's ids, each once. */
export function streamsLeft<T>(
  { reasons }: Suppression,
  streams: { readonly [scope: string]: T },
): readonly T[] {
  const left = reasons.flatMap(({ scope }) => {
    const id = Object.hasOwn(streams, scope) ? streams[scope] : undefined;
    return id === undefined ? [] : [id];
  });
  return [...new Set(left)];
}
