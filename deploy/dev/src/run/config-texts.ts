import { type JsonSchema, schemaBelow } from '@email-events/core/config';

/** A configuration as read, before it is checked. */
export type ConfigTree = { [key: string]: unknown };

/** Makes another value of one; `place` is what the schema says of where it is, undefined if it knows no such place. */
export type Replace = (value: string | number, place: JsonSchema | undefined) => string | number;

/** Copy of a configuration in which each text and number is what `replace` makes of it. */
export function replaceValues(tree: ConfigTree, schema: JsonSchema, replace: Replace): ConfigTree {
  const replaced = (value: unknown, place: JsonSchema | undefined): unknown => {
    const below = (key: string) => place && schemaBelow(place, key);
    if (Array.isArray(value)) return value.map((item, index) => replaced(item, below(String(index))));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, child]) => [key, replaced(child, below(key))]),
      );
    }
    return typeof value === 'string' || typeof value === 'number' ? replace(value, place) : value;
  };
  return replaced(tree, schema) as ConfigTree;
}

/** What a file holds that stands for this secret: whoever reads it drops one line end. */
export const secretFileOf = (secret: string) => (secret.endsWith('\n') ? `${secret}\n` : secret);
