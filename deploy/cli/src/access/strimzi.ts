import type { TopicSpec } from '@email-events/schemas';
import { type Acl, aclsOf, type Principal } from './principals.ts';

/** One of Strimzi's resources, as its operators take it. */
export interface StrimziManifest {
  readonly apiVersion: string;
  readonly kind: 'KafkaTopic' | 'KafkaUser';
  readonly metadata: { readonly name: string; readonly labels: { readonly [name: string]: string } };
  readonly spec: object;
}

export interface StrimziOptions {
  /** Name of the Kafka resource. */
  readonly cluster: string;
  /** `v1` from Strimzi 0.49 on, `v1beta2` before and for some releases after; what is used here is the same in both. */
  readonly version: StrimziVersion;
}

export const STRIMZI_VERSIONS = ['v1', 'v1beta2'] as const;
export type StrimziVersion = (typeof STRIMZI_VERSIONS)[number];

export type Authentication = 'scram-sha-512' | 'tls';

export function kafkaTopics(topics: readonly TopicSpec[], options: StrimziOptions): StrimziManifest[] {
  return topics.map(({ name, partitions, replicationFactor: replicas, config }) =>
    manifest('KafkaTopic', name, { partitions, replicas, config }, options),
  );
}

/** Named `<prefix>-<principal>`, as their Secrets are too: several pipelines may be on one cluster. */
export function kafkaUsers(
  principals: readonly Principal[],
  prefix: string,
  { authentication, ...options }: StrimziOptions & { readonly authentication: Authentication },
): StrimziManifest[] {
  return principals.map((principal) => {
    const acls = aclsOf(principal).map(ruleOf);
    const spec = { authentication: { type: authentication }, authorization: { type: 'simple', acls } };
    return manifest('KafkaUser', `${prefix}-${principal.name}`, spec, options);
  });
}

function manifest(
  kind: StrimziManifest['kind'],
  name: string,
  spec: object,
  { cluster, version }: StrimziOptions,
): StrimziManifest {
  const metadata = { name, labels: { 'strimzi.io/cluster': cluster } };
  return { apiVersion: `kafka.strimzi.io/${version}`, kind, metadata, spec };
}

const TYPES = { topic: 'topic', group: 'group', 'transactional-id': 'transactionalId' } as const;
const PATTERNS = { literal: 'literal', prefixed: 'prefix' } as const;

const ruleOf = ({ resource, name, pattern, operations }: Acl) => ({
  resource: { type: TYPES[resource], name, patternType: PATTERNS[pattern] },
  operations,
});
