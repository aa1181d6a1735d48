import { codeOf, PipelineError } from '../errors.ts';

/** Errors of kafkajs that mean that no broker, or not the right one, answers. */
const UNREACHABLE = new Set([
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
]);

/** The code under which an operator is told of an error: ours, or the broker's own; an outage has one code, not ten. */
export function problemOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: unknown };
  // What kafkajs gives up on it wraps, once or twice; the outage is inside.
  if (name === 'KafkaJSNumberOfRetriesExceeded') return cause ? problemOf(cause) : 'KAFKA_UNREACHABLE';
  if (name === 'KafkaJSNonRetriableError' && cause instanceof Error) return problemOf(cause);
  return UNREACHABLE.has(String(name)) ? 'KAFKA_UNREACHABLE' : codeOf(error);
}

/** Whether no broker answers, or one says itself that it will in a moment. */
export function isUnreachable(error: unknown): boolean {
  const { retriable, cause } = error as { retriable?: unknown; cause?: unknown };
  if (problemOf(error) === 'KAFKA_UNREACHABLE' || retriable === true) return true;
  return cause instanceof Error && isUnreachable(cause);
}

/** The same error under its one code, for whoever waits for a broker by that (see whenThere). */
export async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof PipelineError || !isUnreachable(cause)) throw cause;
    throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no broker answers', { cause });
  }
}
