import { topicCatalogue } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { pipelineConfig, services } from '../services.ts';
import { aclsOf, principals } from './principals.ts';
import { kafkaTopics, kafkaUsers } from './strimzi.ts';

const { topics, kafka } = pipelineConfig.parse({ topics: { partitions: 12, replicationFactor: 3 } });
const options = { cluster: 'my-cluster', version: 'v1' } as const;
/** RFC 1123, as names of Kubernetes are. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

test('every topic of the catalogue is a KafkaTopic, with all that topics apply would give it', () => {
  const catalogue = topicCatalogue(topics);
  const made = kafkaTopics(catalogue, options);
  expect(made.map(({ metadata }) => metadata.name)).toEqual(catalogue.map(({ name }) => name));
  for (const { metadata } of made) expect(metadata.name).toMatch(NAME);
  expect(made.find(({ metadata }) => metadata.name === 'email.suppressions')).toEqual({
    apiVersion: 'kafka.strimzi.io/v1',
    kind: 'KafkaTopic',
    metadata: { name: 'email.suppressions', labels: { 'strimzi.io/cluster': 'my-cluster' } },
    spec: {
      partitions: 12,
      replicas: 3,
      config: {
        ...{ 'min.insync.replicas': '1', 'cleanup.policy': 'compact' },
        ...{ 'max.compaction.lag.ms': '604800000', 'delete.retention.ms': '604800000' },
      },
    },
  });
});

test('every principal is a KafkaUser with the rules that acl print prints, and no other', () => {
  const all = principals(kafka.groupPrefix, services);
  const made = kafkaUsers(all, kafka.groupPrefix, { ...options, authentication: 'scram-sha-512' });
  for (const { metadata } of made) expect(metadata.name).toMatch(NAME);
  const rules = made.map(({ spec }) => (spec as { authorization: { acls: object[] } }).authorization.acls);
  expect(rules.map((of) => of.length)).toEqual(all.map((of) => aclsOf(of).length));
  expect(made.find(({ metadata }) => metadata.name === 'email-events-normalize')?.spec).toEqual({
    authentication: { type: 'scram-sha-512' },
    authorization: {
      type: 'simple',
      acls: expect.arrayContaining([
        { resource: { type: 'topic', name: 'email.raw', patternType: 'literal' }, operations: ['Read'] },
        {
          resource: { type: 'group', name: 'email-events.normalize', patternType: 'literal' },
          operations: ['Read'],
        },
        {
          resource: { type: 'transactionalId', name: 'email-events.normalize-', patternType: 'prefix' },
          operations: ['Write'],
        },
      ]),
    },
  });
});
