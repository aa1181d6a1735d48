import { eventTopics, topics } from '@email-events/schemas';

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
export function principals(prefix: string): readonly Principal[] {
  const groups = ['.normalize', '.events', '-sink-clickhouse', '-sink-crm'].map((name) => prefix + name);
  const everything = [
    ...[topics.raw, topics.normalized, topics.seen, topics.tokens, topics.recipientState, topics.replays],
    ...eventTopics,
    ...[topics.suppressions, topics.operatorActions, topics.eventMarks, topics.deadLetters],
  ];
  return [
    { ...NONE, name: 'ingress', runs: 'ingress', writes: [topics.raw] },
    {
      ...NONE,
      name: 'normalize',
      runs: 'normalize',
      reads: [topics.raw, topics.tokens],
      writes: [topics.normalized, topics.tokens, topics.deadLetters],
      groups: [`${prefix}.normalize`],
      transactionalIds: [`${prefix}.normalize-`],
    },
    {
      ...NONE,
      name: 'events',
      runs: 'events',
      reads: [topics.normalized, topics.seen, topics.recipientState],
      writes: [
        ...[topics.seen, topics.recipientState, ...eventTopics, topics.suppressions],
        ...[topics.operatorActions, topics.deadLetters],
      ],
      groups: [`${prefix}.events`],
      transactionalIds: [`${prefix}.events-`],
    },
    {
      ...NONE,
      name: 'sink-clickhouse',
      runs: 'sink-clickhouse',
      reads: [...eventTopics, topics.suppressions, topics.eventMarks, topics.deadLetters, topics.replays],
      writes: [topics.deadLetters],
      groups: [`${prefix}-sink-clickhouse`],
    },
    {
      ...NONE,
      name: 'sink-crm',
      runs: 'sink-crm',
      reads: [topics.suppressions, topics.replays],
      writes: [topics.deadLetters],
      groups: [`${prefix}-sink-crm`],
    },
    {
      ...NONE,
      name: 'operator',
      runs: 'dlq, backfill, suppressions, marks add, tail, status',
      reads: everything,
      writes: [topics.raw, topics.normalized, topics.replays, topics.eventMarks, topics.deadLetters],
      watches: groups,
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
