import type { DependencyState, MetricsReport } from '@email-events/core';
import type { IngressStatus } from '../status.ts';

/** What the primary asks a worker, and what it hears. It travels as JSON, in which nothing is undefined. */
export interface Answers {
  readonly readiness: { readonly [dependency: string]: Exclude<DependencyState, undefined> | null };
  readonly status: IngressStatus;
  readonly metrics: MetricsReport;
}

export type Topic = keyof Answers;

export interface Question {
  readonly ask: Topic;
  readonly id: number;
}

export type Answer =
  | { readonly id: number; readonly answer: Answers[Topic] }
  | { readonly id: number; readonly failed: string };

export const isQuestion = (message: unknown): message is Question =>
  typeof message === 'object' && message !== null && 'ask' in message;

export const isAnswer = (message: unknown): message is Answer =>
  typeof message === 'object' && message !== null && ('answer' in message || 'failed' in message);
