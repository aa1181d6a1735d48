import { text } from './fields.ts';
import { isObject, listOf, objectOf } from './json.ts';

/**
 * Headers of a message as ESPs write them: a list of `{name, value}` or of pairs, or an object of texts or lists. What is none of
 * these is no header. One by one: there may be many.
 */
export function* headerPairs(value: unknown): Generator<readonly [name: string, value: string]> {
  if (isObject(value)) {
    for (const name of Object.keys(value)) yield* valuesOf(name, value[name]);
    return;
  }
  for (const entry of listOf(value)) {
    const [name, of] = Array.isArray(entry) ? entry : [objectOf(entry).name, objectOf(entry).value];
    if (typeof name === 'string') yield* valuesOf(name, of);
  }
}

function* valuesOf(name: string, value: unknown): Generator<readonly [string, string]> {
  for (const one of Array.isArray(value) ? value : [value]) {
    const found = text(one);
    if (found !== null) yield [name, found];
  }
}
