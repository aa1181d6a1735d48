import { codeOf } from '../errors.ts';

/** Errors that kafkajs takes for the end of a consumer although they pass by themselves. */
const PASSING = new Set([
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
]);

/** True: a consumer that crashed with it and was not restarted by kafkajs is worth starting again after a while. */
export const passesByItself = ({ name }: Error): boolean => PASSING.has(name);

/** Errors of kafkajs that mean that no broker, or not the right one, answers. */
const UNREACHABLE = new Set([
  ...PASSING,
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
]);

/** The code under which an operator is told of an error: ours, or the broker's own; an outage has one code, not ten. */
export function problemOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: unknown };
  if (name === 'KafkaJSNumberOfRetriesExceeded') return cause ? problemOf(cause) : 'KAFKA_UNREACHABLE';
  return UNREACHABLE.has(String(name)) ? 'KAFKA_UNREACHABLE' : codeOf(error);
}

/** How long to wait before a crashed consumer is started again. */
export const REJOIN_MS = 1_000;
