import { ALL_ESPS, changed, draftOf, type Story } from '../story.ts';
import type { Attack, AttackContext } from './attack.ts';

const YEAR_MS = 365.25 * 86_400_000;
const MONTH_MS = YEAR_MS / 12;

const dated = (name: string, at: () => number): Attack => ({
  ...{ name, share: 2, answer: 'taken', esps: ALL_ESPS },
  blow: (esp, context) => [context.hostile.request(esp, draftOf(esp, [storyAt(context, at())]))],
});

/** A month each: as many parts of a table, if nobody bounds them. */
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

/** Wherever this ESP says when it happened, it says what nobody can read. */
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
