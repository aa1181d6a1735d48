import { ALL_ESPS, changed, draftOf, rawDraft, rewritten, type Story } from '../story.ts';
import { type Attack, type AttackContext, idOf, without } from './attack.ts';

const COUNT = 200_000;
const repeated = (item: string, count: number) => `[${Array(count).fill(item).join(',')}]`;
const nested = (open: string, inner: string, close: string, depth: number) =>
  `${open.repeat(depth)}${inner}${close.repeat(depth)}`;

/** Lists of nothing, as long as a body may be: each item is a dead letter, if the pipeline does not count them. */
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

/** A service can parse an item at any depth, and not write it at any: it fails where it has to write the item down. */
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

/** Made when it is first needed, and kept: to make half a megabyte again each time would slow down the attackers. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * The next request that an ESP is going to send for an honest account, sent before it by another account at the same ESP: every id is
 * the same. If ids were all that makes an event, the honest one would be a duplicate. Its streams and campaigns are named alike, too.
 */
const copied: Attack = {
  ...{
    name: 'the next request of an honest account, sent before it',
    share: 60,
    answer: 'any',
    esps: ALL_ESPS,
  },
  blow(_esp, context) {
    const planned = context.ahead();
    if (!planned) return [];
    return [context.hostile.request(planned.esp, planned.draft)];
  },
};

/** A sender with a counter for its ids is easy to guess: its next complaint is told as one that is none. */
const guessed: Attack = {
  ...{ name: 'a guessed event id', share: 6, answer: 'taken', esps: ['standard-webhooks'] },
  blow(esp, context) {
    const events = Array.from({ length: 20 }, (_, i) => ({
      id: counterId(i),
      type: 'complained',
      occurred_at: new Date().toISOString(),
      recipient: `guess${i}.${context.run}@example.com`,
      feedback_type: 'not-spam',
    }));
    return [
      context.hostile.request(
        esp,
        rawDraft(esp, JSON.stringify(events), `msg_${context.run}_${context.next()}`),
      ),
    ];
  },
};

/** As a shop that counts its orders would name its events. */
export const counterId = (number: number) => `order-${1_001 + number}`;

export const identityAttacks: readonly Attack[] = [copied, guessed];

const YEAR_MS = 365.25 * 86_400_000;
const MONTH_MS = YEAR_MS / 12;

const dated = (name: string, at: () => number): Attack => ({
  ...{ name, share: 2, answer: 'taken', esps: ALL_ESPS },
  blow: (esp, context) => [context.hostile.request(esp, draftOf(esp, [storyAt(context, at())]))],
});

/** A month each: as many parts of a table, if the pipeline does not bound them. */
const months: Attack = {
  name: '1,560 different months',
  ...{
    share: 6,
    answer: 'taken',
    esps: ['sendgrid', 'standard-webhooks', 'sparkpost', 'mailjet', 'mandrill'],
  },
  blow(esp, context) {
    const [first, ...rest] = Array.from({ length: 1_560 }, (_, i) =>
      storyAt(context, Date.UTC(1971, 0, 2) + i * MONTH_MS),
    );
    return first ? [context.hostile.request(esp, draftOf(esp, [first, ...rest]))] : [];
  },
};

/** Puts a time that cannot be read wherever this ESP says when it happened. */
const unreadable: Attack = {
  ...{ name: 'no time that can be read', share: 4, answer: 'any', esps: ALL_ESPS },
  blow(esp, context) {
    const at = Math.floor(Date.now() / 1_000) * 1_000 - 120_000;
    const draft = draftOf(esp, [storyAt(context, at)]);
    const text = context.random.pick(['garbage', '', '9'.repeat(400), '2026-02-30T99:99:99Z', '-1e999']);
    const odd = changed(esp, draft, (value) => (isTime(value, at) ? text : value));
    return [context.hostile.request(esp, odd)];
  },
};

export const timeAttacks: readonly Attack[] = [
  dated('an event in 2099', () => Date.UTC(2099, 5, 1)),
  dated('an event in 1970', () => 86_400_000),
  months,
  unreadable,
];

function storyAt({ next, run }: AttackContext, at: number): Story {
  const id = next();
  return { type: 'delivered', recipient: `t${id}.${run}@example.com`, id, run, at };
}

/** Within some hours: some ESPs write the local time of somewhere. */
function isTime(value: unknown, at: number): boolean {
  const near = (ms: number) => Math.abs(ms - at) <= 15 * 3_600_000;
  if (typeof value === 'number') return near(value) || near(value * 1_000);
  if (typeof value !== 'string' || value.length > 40) return false;
  return near(Number(value) * 1_000) || near(Number(value)) || near(Date.parse(value));
}

/** Everything that a terminal, a database or a template might take for more than text. */
const ODD_TEXTS = [
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\u001b]0;owned\u0007\u001b[2J',
  '\u202egnp.exe',
  "'; DROP TABLE email_events; --",
  '{{constructor.constructor("return process")()}}',
  '__proto__',
  '\\N\t\n\r',
  '🌷'.repeat(500),
];

const controlInRecipient: Attack = {
  ...{ name: 'a control character in the recipient', share: 4, answer: 'any', esps: ALL_ESPS },
  blow(esp, context) {
    const control = context.random.pick(['\u0000', '\u0007', '\u007f', '\u0085', '\u001b[2J']);
    const story = storyOf(context, (id) => `nul${control}${id}.${context.run}@example.com`);
    return [context.hostile.request(esp, draftOf(esp, [{ ...story, type: 'bounced' }]))];
  },
};

/** A receiving server may answer anything, and no ESP changes it: a firewall before the CRM may dislike it. */
const script: Attack = {
  ...{ name: '<script> in a diagnostic', share: 4, answer: 'taken', esps: ALL_ESPS },
  blow(esp, context) {
    const diagnostic = '550 5.1.1 <script>alert(document.cookie)</script> no such user';
    const story = storyOf(context, (id) => `script${id}.${context.run}@example.com`);
    return [context.hostile.request(esp, draftOf(esp, [{ ...story, type: 'bounced', diagnostic }]))];
  },
};

const oddTexts: Attack = {
  ...{ name: 'odd texts in every field', share: 6, answer: 'any', esps: without(ALL_ESPS, 'elasticemail') },
  blow(esp, context) {
    const odd = context.random.pick(ODD_TEXTS);
    const story = storyOf(context, (id) => `odd${id}.${context.run}@example.com`);
    const draft = draftOf(esp, [{ ...story, type: 'bounced', subject: odd, diagnostic: odd }]);
    // A text with a blank in it is prose, or nothing that an ESP must have.
    const change = (value: unknown) =>
      typeof value === 'string' && value.includes(' ') ? `${value}${odd}` : value;
    return [context.hostile.request(esp, changed(esp, draft, change))];
  },
};

/** The same key twice, with another value each: two readers may take two different ones. */
const twiceTheKey: Attack = {
  ...{ name: 'every key twice', share: 4, answer: 'any', esps: without(ALL_ESPS, 'elasticemail') },
  blow(esp, context) {
    const story = storyOf(context, (id) => `twice${id}.${context.run}@example.com`);
    const twice = rewritten(esp, draftOf(esp, [story]), (json) =>
      json
        .replaceAll(/"(\w+)":"([^"\\]*)"/g, '"$1":"$2","$1":"$2x"')
        .replace('{', '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},'),
    );
    return [context.hostile.request(esp, twice)];
  },
};

const tooLong: Attack = {
  ...{ name: 'a text of 5 MB', share: 1, answer: 'refused', esps: without(ALL_ESPS, 'elasticemail') },
  blow(esp, context) {
    const story = storyOf(context, (id) => `long${id}.${context.run}@example.com`);
    const draft = rewritten(esp, draftOf(esp, [story]), (json) =>
      json.replace('{', `{"padding":"${'x'.repeat(5_000_000)}",`),
    );
    return [context.hostile.request(esp, draft)];
  },
};

export const textAttacks: readonly Attack[] = [controlInRecipient, script, oddTexts, twiceTheKey, tooLong];

function storyOf({ next, run }: AttackContext, recipientOf: (id: number) => string): Story {
  const id = next();
  return { type: 'delivered', recipient: recipientOf(id), id, run };
}
