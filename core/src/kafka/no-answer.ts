import { createRequire } from 'node:module';

/** The part of kafkajs's cluster that is needed here. */
interface Cluster {
  metadata(options?: { topics?: readonly string[] }): Promise<object | null>;
}

const require = createRequire(import.meta.url);
const { prototype } = require('kafkajs/src/cluster/index.js') as { prototype: Cluster };
const { KafkaJSNoBrokerAvailableError } = require('kafkajs/src/errors.js') as {
  KafkaJSNoBrokerAvailableError: new () => Error;
};
const original = prototype.metadata;
if (typeof original !== 'function') throw new Error('kafkajs has no metadata of a cluster');

/**
 * Where no broker gave an answer that can be used, as one that is killed meanwhile, kafkajs 2.2.4 answers null, and whoever
 * asked (listTopics, describeCluster, fetchTopicMetadata) stumbles over that. It is an outage and must look like one:
 * a service that starts just then waits for the broker, and does not end for a TypeError.
 */
prototype.metadata = async function (this: Cluster, options) {
  const answer = await original.call(this, options);
  if (answer === null || answer === undefined) throw new KafkaJSNoBrokerAvailableError();
  return answer;
};
