import { Counter, DeadLetterLog, type Logger, type Registry } from '@email-events/core';
import type { DeadLetter } from '@email-events/schemas';

/** Counts and logs the dead letters of a process, once their transaction is committed. */
export interface DeadLetterReport {
  written(letters: readonly DeadLetter[]): void;
}

/** One for each process. */
export function deadLetterReport(metrics: Registry, log: Logger): DeadLetterReport {
  const counter = new Counter({
    name: 'email_events_dead_letters_total',
    help: 'Dead letters written by this process, by stage and code.',
    labelNames: ['stage', 'code'],
    registers: [metrics],
  });
  const lines = new DeadLetterLog(log);
  return {
    written(letters) {
      for (const letter of letters) {
        counter.inc({ stage: letter.stage, code: letter.code });
        lines.written(letter);
      }
    },
  };
}
