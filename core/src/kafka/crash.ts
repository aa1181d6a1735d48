/** Errors that kafkajs takes for the end of a consumer although they pass by themselves. */
const PASSING = new Set([
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
]);

/** True: a consumer that crashed with it and was not restarted by kafkajs is worth starting again after a while. */
export const passesByItself = ({ name }: Error): boolean => PASSING.has(name);

/** How long to wait before a crashed consumer is started again. */
export const REJOIN_MS = 1_000;
