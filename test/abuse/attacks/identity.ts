import { ALL_ESPS, rawDraft } from '../story.ts';
import type { Attack } from './attack.ts';

/**
 * What an honest account is about to be told, told before by another account at the same ESP: every id is the same. If ids were all that
 * makes an event, the honest one would be a duplicate. As its stream names are those of the honest mail, so are campaigns.
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
