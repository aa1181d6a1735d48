import { ALL_ESPS, changed, draftOf, rewritten, type Story } from '../story.ts';
import { type Attack, type AttackContext, without } from './attack.ts';

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

/** What a receiving server says is in nobody's hands: a firewall before the CRM may dislike it. */
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
    // What has a blank in it is prose, or nothing that an ESP must have.
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
