import { type AdminServer, codeOf, type DependencyState, type Registry } from '@email-events/core';
import type { IngressStatus } from '../status.ts';
import { type Answer, type Answers, isQuestion, type Topic } from './questions.ts';

export interface Subjects {
  readonly metrics: Registry;
  readonly readiness: { readonly [dependency: string]: () => DependencyState };
  readonly status: () => IngressStatus;
}

/** In a worker, in place of an admin port: answers the primary, which speaks for all. */
export function answerPrimary(subjects: Subjects): AdminServer {
  const onMessage = (message: unknown) => {
    if (!isQuestion(message)) return;
    const { ask, id } = message;
    answerTo(ask, subjects)
      .then((answer): Answer => ({ id, answer }))
      .catch((error: unknown): Answer => ({ id, failed: codeOf(error) }))
      // Without a primary there is nobody to tell; this process ends by itself then.
      .then((answer) => process.send?.(answer, () => {}));
  };
  process.on('message', onMessage);
  return {
    port: 0,
    drain: () => {},
    close: async () => {
      process.off('message', onMessage);
    },
  };
}

async function answerTo(topic: Topic, { metrics, readiness, status }: Subjects): Promise<Answers[Topic]> {
  switch (topic) {
    case 'metrics':
      return metrics.getMetricsAsJSON();
    case 'readiness':
      return Object.fromEntries(Object.entries(readiness).map(([name, check]) => [name, check() ?? null]));
    case 'status':
      return status();
  }
}
