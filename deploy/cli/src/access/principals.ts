import { consumerGroupOf, type ServiceDescriptor } from '@email-events/core/service';
import { eventTopics, topics } from '@email-events/schemas';
import { type Services, services } from '../services.ts';

/** One Kafka user, and all that it has to be allowed: what a service, a command or another team does on the cluster. */
export interface Principal {
  readonly name: string;
  readonly runs: string;
  /** Topics. Reading and writing include describing. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Consumer groups that it is a member of. */
  readonly groups: readonly string[];
  /** Groups whose positions it looks at. */
  readonly watches: readonly string[];
  /** Beginnings of transactional ids. */
  readonly transactionalIds: readonly string[];
  /** Beginning of the names of topics that it makes and changes. */
  readonly manages?: string;
}

const NONE = { reads: [], writes: [], groups: [], watches: [], transactionalIds: [] } as const;

/** Of a pipeline with this `kafka.groupPrefix`. */
export function principals(prefix: string, all: Services = services): readonly Principal[] {
  const ofServices = all.map((service) => principalOf(service, prefix));
  const everything = [
    ...[topics.raw, topics.normalized, topics.seen, topics.tokens, topics.recipientState, topics.replays],
    ...eventTopics,
    ...[topics.suppressions, topics.operatorActions, topics.eventMarks, topics.deadLetters],
  ];
  return [
    ...ofServices,
    {
      ...NONE,
      name: 'operator',
      runs: 'dlq, backfill, suppressions, marks add, tail, status',
      reads: everything,
      writes: [topics.raw, topics.normalized, topics.replays, topics.eventMarks, topics.deadLetters],
      watches: ofServices.flatMap(({ groups }) => groups),
      transactionalIds: ['dlq', 'backfill', 'suppressions-', 'marks'].map((name) => `${prefix}-${name}`),
    },
    { ...NONE, name: 'deployer', runs: 'topics plan, topics apply', manages: 'email.' },
    {
      ...NONE,
      name: 'reader',
      runs: 'a consumer of another team, in a group of its own',
      reads: [...eventTopics, topics.suppressions],
    },
  ];
}

function principalOf(service: ServiceDescriptor, prefix: string): Principal {
  const { name, consumes, restores = [], writes } = service;
  const group = consumerGroupOf(service, prefix);
  return {
    ...NONE,
    ...{ name, runs: name, writes },
    reads: [...(consumes?.topics ?? []), ...restores],
    groups: group === undefined ? [] : [group],
    // One for each partition of its input.
    transactionalIds: group !== undefined && consumes?.as === 'processor' ? [`${group}-`] : [],
  };
}
