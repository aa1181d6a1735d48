import type { EmailEvent, OperatorAction, RecipientState } from '@email-events/schemas';
// biome-ignore lint/correctness/noUndeclaredDependencies: only tests use this file, and the root has what they need.
import fc from 'fast-check';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE, type SourcePolicy } from './accounts.ts';
import { learn } from './learn.ts';
import { addWord, wordOf } from './words.ts';

export const DAY = 86_400_000;
export const RULE = { threshold: 5, windowMs: 30 * DAY };
/** Later than anything that is said in a test. */
export const NOW = START + 10_000 * DAY;

export const idOf = (n: number) => n.toString(16).padStart(32, '0');

interface Source extends SourcePolicy {
  readonly esp: string;
  readonly account: string | null;
}
const source = (esp: string, account: string | null, more: Partial<SourcePolicy> = {}): Source => ({
  ...{ esp, account, suppresses: 'all', lifts: 'own' },
  ...more,
});

/** Sources of several accounts, and of several powers. Words of `mail`, the only source of deliveries, are never taken back. */
export const SOURCES: { readonly [name: string]: Source } = {
  mail: source('sendgrid', null),
  shop: source('sendgrid', 'shop'),
  shop2: source('mailgun', 'shop'),
  agency: source('ses', 'agency', { suppresses: 'own-streams' }),
  own: source('standard-webhooks', 'own', { lifts: 'all' }),
  test: source('postmark', null, { suppresses: 'nothing', lifts: 'all' }),
};
export const policyOf = (name: string) => SOURCES[name] as Source;

export type Said = { readonly event: EmailEvent } | { readonly action: OperatorAction };

/** The state after all events and actions, without bounds. */
export const learnAll = (said: readonly Said[], from: RecipientState = NO_STATE): RecipientState =>
  said.reduce(learnOne, from);

function learnOne(state: RecipientState, said: Said): RecipientState {
  if ('event' in said) return learn(state, said.event, policyOf(said.event.source));
  const words = addWord(state.words, wordOf(said.action, NOW));
  return words === state.words ? state : { ...state, words };
}

export function actionOf(kind: OperatorAction['kind'], more: Partial<OperatorAction> = {}): OperatorAction {
  return {
    ...{ action_id: idOf(1), kind, recipient: 'ann@example.com', at: START, by: 'op', why: 'because' },
    ...{ reason: null, scope: null, source: null, from: null, to: null, changed: null, taken_at: null },
    ...more,
  };
}

const EVENTS = ['hard', 'soft', 'soft', 'complained', 'not-spam', 'unsub', 'unsub', 'sub', 'delivered'];
const step = fc.record({
  kind: fc.constantFrom(...EVENTS, 'opened', 'suppress', 'lift', 'retract'),
  time: fc.integer({ min: 0, max: 40 }),
  late: fc.integer({ min: 0, max: 5 }),
  source: fc.constantFrom(...Object.keys(SOURCES)),
  scope: fc.constantFrom('all', 'news', null),
  reason: fc.constantFrom('unsubscribe', 'complaint', 'manual', null),
});

/** Any history of one recipient, with times that often collide. */
export const history = (maxLength: number) =>
  fc.array(step, { maxLength }).map((steps) =>
    steps.map(({ kind, time, late, source: name, scope, reason }, i): Said => {
      const at = START + time * DAY;
      if (kind === 'suppress' || kind === 'lift')
        return { action: actionOf(kind, { action_id: idOf(i), at, scope, reason }) };
      if (kind === 'retract') {
        const taken = name === 'mail' || name === 'own' ? 'shop' : name;
        const window = { source: taken, from: at, to: at + (late + 1) * 3 * DAY };
        return { action: actionOf('retract', { action_id: idOf(i), at, ...window }) };
      }
      const common = { occurred_at: at, received_at: at + late * DAY, event_id: idOf(i) };
      const from = kind === 'delivered' && name !== 'own' ? 'mail' : name;
      const { esp, account } = policyOf(from);
      return { event: eventNamed(kind, { ...common, source: from, esp, account }, scope) };
    }),
  );

function eventNamed(kind: string, common: Partial<EmailEvent>, scope: string | null): EmailEvent {
  switch (kind) {
    case 'hard':
    case 'soft':
      return eventOf('bounced', { ...common, bounce_class: kind });
    case 'complained':
      return eventOf('complained', common);
    case 'not-spam':
      return eventOf('complained', { ...common, feedback_type: 'not-spam' });
    case 'unsub':
      return eventOf('unsubscribed', { ...common, scope });
    case 'sub':
      return eventOf('subscribed', { ...common, scope });
    default:
      return eventOf(kind === 'delivered' ? 'delivered' : 'opened', common);
  }
}

export const shuffled = (maxLength: number) =>
  history(maxLength).chain((said) =>
    fc.tuple(fc.constant(said), fc.shuffledSubarray(said, { minLength: said.length })),
  );
