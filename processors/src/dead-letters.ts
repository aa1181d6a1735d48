import { Counter, type Registry } from '@email-events/core';

export type DeadLetterCounter = Counter<'stage' | 'code'>;

/** One for each process. */
export function deadLetterCounter(metrics: Registry): DeadLetterCounter {
  return new Counter({
    name: 'email_events_dead_letters_total',
    help: 'Dead letters written by this process, by stage and code.',
    labelNames: ['stage', 'code'],
    registers: [metrics],
  });
}
