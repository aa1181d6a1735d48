import { ALL_ESPS, changed, draftOf, rawDraft, rewritten } from '../story.ts';
import { type Attack, idOf, without } from './attack.ts';

const COUNT = 200_000;
const repeated = (item: string, count: number) => `[${Array(count).fill(item).join(',')}]`;
const nested = (open: string, inner: string, close: string, depth: number) =>
  `${open.repeat(depth)}${inner}${close.repeat(depth)}`;

/** Lists of nothing, as long as a body may be: each item is a dead letter, if nobody counts. */
const LISTS: { readonly [name: string]: (count: number) => string } = {
  '200,000 zeros': (count) => repeated('0', count),
  '200,000 empty texts': (count) => repeated('""', count),
  '200,000 empty objects': (count) => repeated('{}', count),
  '200,000 lists': (count) => repeated('[]', count),
  'lists nested 200,000 deep': (count) => nested('[', '', ']', count),
  'objects nested 100,000 deep': (count) => nested('{"a":', '1', '}', count / 2),
  '60,000 keys': (count) => `{${Array.from({ length: count * 0.3 }, (_, i) => `"k${i}":${i}`).join(',')}}`,
  '40,000 events of no type': (count) => repeated('{"event":"x","a":1}', count / 5),
};

const lists = Object.entries(LISTS).map(([name, make]): Attack => {
  const [content, half] = [once(() => make(COUNT)), once(() => make(COUNT / 2))];
  return {
    // Where the signature is in the body, the ingress looks for it, but not at any depth.
    ...{ name, share: 1, answer: name.includes('nested') ? 'any' : 'taken' },
    esps: without(ALL_ESPS, 'elasticemail'),
    blow: (esp, context) => {
      // In a form, most characters take three bytes.
      const text = esp === 'mandrill' ? half() : content();
      return [context.hostile.request(esp, rawDraft(esp, text, idOf(context, context.next())))];
    },
  };
});

/** What can be parsed at any depth cannot be written at any: whoever has to write the item down fails of it. */
const nestedEvent: Attack = {
  ...{
    name: 'an event nested 80,000 deep',
    share: 3,
    answer: 'any',
    esps: without(ALL_ESPS, 'elasticemail'),
  },
  blow(esp, context) {
    const id = context.next();
    const recipient = `deep${id}.${context.run}@example.com`;
    const draft = draftOf(esp, [{ type: 'delivered', recipient, id, run: context.run }]);
    const deep = nested('[', '', ']', esp === 'mandrill' ? 40_000 : 80_000);
    const anonymous = rewritten(esp, draft, (json) =>
      // Without ids and times all of the item is what tells it from others.
      json
        .replaceAll(/"(?=(?:[\w-]*(?:id|time|timestamp|date|_at)|ts)":)/gi, '"was-')
        .replace(INNERMOST, `{"deep":${deep},`),
    );
    return [context.hostile.request(esp, anonymous)];
  },
};

/** Every list of a genuine event, wherever this ESP has one, from the inside out. */
const lengthened: Attack = {
  ...{ name: 'every list 150 kB long', share: 4, answer: 'any', esps: without(ALL_ESPS, 'elasticemail') },
  blow(esp, context) {
    const id = context.next();
    const recipient = `many${id}.${context.run}@example.com`;
    const draft = draftOf(esp, [{ type: 'delivered', recipient, id, run: context.run }]);
    return [context.hostile.request(esp, changed(esp, draft, lengthen))];
  },
};
/** An object whose first value is neither an object nor a list: the event rather than what it is wrapped in. */
const INNERMOST = /\{(?="[^"]*":[^{[])/;
const LIST_BYTES = 150_000;

function lengthen(value: unknown): unknown {
  if (!Array.isArray(value) || value.length === 0) return value;
  const count = Math.max(
    value.length,
    Math.floor(LIST_BYTES / (JSON.stringify(value).length / value.length)),
  );
  return Array.from({ length: count }, (_, i) => value[i % value.length]);
}

export const itemAttacks: readonly Attack[] = [...lists, nestedEvent, lengthened];

/** Made when it is first needed, and kept: to make half a megabyte anew each time would slow down the attackers. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
