import { stripVTControlCharacters } from 'node:util';
import type { OperatorAction, Suppression } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { lift, retract, suppress } from '../suppressions/orders.ts';
import {
  renderConcerned,
  renderNotMade,
  renderOrdered,
  renderReasons,
  renderStory,
} from './suppressions-render.ts';

const AT = Date.UTC(2026, 0, 31, 8);
const ANN = 'ann@example.com';
const HOSTILE = 'x\u001b[2J\n\u009b';

const reason = (more: Partial<Suppression['reasons'][number]> = {}): Suppression['reasons'][number] => ({
  ...{ reason: 'complaint', scope: 'all', since: AT, esp: 'sendgrid', source: 'main' },
  ...{ event_id: 'e1', detail: 'abuse', account: null },
  ...more,
});

const state = (...reasons: Suppression['reasons']): Suppression => ({
  ...{ recipient: ANN, suppressed: reasons.some(({ scope }) => scope === 'all'), reasons },
  ...{ changed_at: AT, event_id: 'e1', revision: 1 },
});

const words = (of: Suppression | undefined, actions: readonly OperatorAction[] = []) =>
  stripVTControlCharacters(renderStory({ recipient: ANN, state: of, actions }));

const taken = (action: OperatorAction, changed: boolean) => ({ ...action, changed, taken_at: AT });
const ORDER = { by: 'maria', at: AT, why: 'asked by phone' };

test('a story says in words whether, why, since when and by whom', () => {
  expect(words(undefined)).toContain(`${ANN} is not suppressed: nothing was ever known`);
  expect(words(state())).toContain(`${ANN} is not suppressed; it was before`);
  const full = words(state(reason({ account: 'shop' })));
  expect(full).toContain(`${ANN} is suppressed: send nothing.`);
  expect(full).toContain(
    'The recipient complained of spam, for all mail, since 2026-01-31 08:00, reported by sendgrid at webhook main, account shop (e1): abuse',
  );
  expect(full).toContain(`npx email-events suppressions lift ${ANN}`);
  const part = words(
    state(reason({ reason: 'unsubscribe', scope: 'news' }), reason({ scope: 'account:shop' })),
  );
  expect(part).toContain('suppressed in part');
  expect(part).toContain('The recipient unsubscribed, for news only');
  expect(part).toContain('for all streams of account shop');
});

test.each([
  ['ann+news@example.com', 'ann+news@example.com --why "…"'],
  ['"a<b"@example.com', `'"a<b"@example.com' --why "…"`],
  ["o'neill@example.com", `'o'\\''neill@example.com' --why "…"`],
  ['-ann@example.com', '--why "…" -- -ann@example.com'],
])('the command that undoes it is one for the shell: %s', (recipient, text) => {
  const told = renderStory({ recipient, state: state(reason()), actions: [] });
  expect(stripVTControlCharacters(told)).toContain(`email-events suppressions lift ${text}`);
});

test('and what operators did about it', () => {
  const said = { source: 'main', from: AT, to: AT + 60_000 };
  const actions = [
    taken(suppress(ANN, 'all', ORDER), true),
    taken(lift(ANN, { reason: 'complaint', scope: null }, { ...ORDER, by: 'tom' }), false),
    taken(retract(ANN, said, ORDER), true),
  ];
  const text = words(state(), actions);
  expect(text).toContain('maria suppressed it, for all mail: asked by phone; it changed what is suppressed');
  expect(text).toContain('tom lifted the reason complaint: asked by phone; it changed nothing');
  expect(text).toContain('took back what webhook main said from 2026-01-31 08:00 to 2026-01-31 08:01');
});

test('what came of orders', () => {
  const told = (ordered: number, changed: number, unchanged: number, waited = true) =>
    stripVTControlCharacters(renderOrdered({ ordered, changed, unchanged }, 3, { waited, already: 0 }));
  expect(told(3, 2, 1)).toBe('2 recipients changed, 1 unchanged');
  expect(told(3, 1, 0)).toContain('2 orders written and not taken yet');
  expect(told(1, 1, 0)).toContain('2 of 3 not ordered');
  expect(told(3, 0, 0, false)).toContain('3 orders written');
});

test('nothing from outside is obeyed by a terminal', async () => {
  const hostile = reason({
    scope: HOSTILE,
    esp: HOSTILE,
    source: HOSTILE,
    detail: HOSTILE,
    account: HOSTILE,
  });
  const action = taken(suppress(HOSTILE, HOSTILE, { ...ORDER, by: HOSTILE, why: HOSTILE }), true);
  const notMade = { recipient: HOSTILE, reason: hostile, before: HOSTILE, today: HOSTILE };
  const texts = [
    renderStory({ recipient: HOSTILE, state: state(hostile), actions: [action] }),
    await renderReasons([{ recipient: HOSTILE, ...hostile }]),
    await renderNotMade({ notMade: [notMade], stillMade: 0, unknown: 0 }),
  ];
  for (const text of texts) {
    expect(text).toContain('x\\x1b[2J\\n\\x9b');
    for (const raw of ['\u009b', '\u001b[2J']) expect(text).not.toContain(raw);
  }
});

test('that the recipients of several kinds overlap is said', async () => {
  const concerned = { recipients: [ANN], suppressedByIt: 1, unknownTime: 0, unnamed: 0 };
  const overlap = 'a recipient of whom it said several is counted in each line';
  const several = await renderConcerned({ ...concerned, said: { complained: 1, unsubscribed: 1 } }, 0);
  expect(stripVTControlCharacters(several)).toContain(overlap);
  expect(await renderConcerned({ ...concerned, said: { complained: 1 } }, 0)).not.toContain(overlap);
});
