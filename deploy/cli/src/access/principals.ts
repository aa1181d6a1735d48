import { commandTransactionalId } from '@email-events/core';
import { consumerGroupsOf, type ServiceDescriptor } from '@email-events/core/service';
import { eventTopics, topics } from '@email-events/schemas';
import { markdownTable } from '@email-events/schemas/tools';
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

/** Of a pipeline with this `kafka.groupPrefix`, and with the consumers of this configuration. */
export function principals(
  prefix: string,
  all: Services = services,
  config: object = {},
): readonly Principal[] {
  const ofServices = all.map((service) => principalOf(service, prefix, config));
  const everything = [
    ...[
      topics.raw,
      topics.quarantine,
      topics.normalized,
      topics.seen,
      topics.tokens,
      topics.recipientState,
      topics.replays,
      topics.mailWindows,
    ],
    ...eventTopics,
    ...[topics.suppressions, topics.operatorActions, topics.eventMarks, topics.alerts, topics.deadLetters],
  ];
  return [
    ...ofServices,
    {
      ...NONE,
      name: 'operator',
      runs: 'dlq, backfill, quarantine, suppressions, erase, crm, marks add, tail, status',
      reads: everything,
      writes: [
        topics.raw,
        topics.quarantine,
        topics.normalized,
        topics.replays,
        topics.eventMarks,
        topics.deadLetters,
      ],
      watches: ofServices.flatMap(({ groups }) => groups),
      transactionalIds: ['dlq', 'backfill', 'quarantine', 'suppressions-', 'marks', 'crm'].map(
        (name) => `${prefix}-${name}`,
      ),
    },
    { ...NONE, name: 'deployer', runs: 'topics plan, topics apply', manages: 'email.' },
    {
      ...NONE,
      name: 'reader',
      runs: 'a consumer of another team, in a group of its own',
      reads: [...eventTopics, topics.suppressions, topics.alerts],
    },
  ];
}

function principalOf(service: ServiceDescriptor, prefix: string, config: object): Principal {
  const { name, consumes, restores = [], writes } = service;
  const consumers = consumerGroupsOf(service, prefix, config);
  const groups = consumers.map(({ group }) => group);
  const read = [
    ...(consumes?.topics ?? []),
    ...consumers.flatMap((consumer) => consumer.topics),
    ...restores,
  ];
  return {
    ...NONE,
    ...{ name, runs: name, writes },
    reads: [...new Set(read)],
    groups,
    transactionalIds: transactionalIdsOf(service, prefix, groups),
  };
}

/** Of a processor one for each partition of its input. */
function transactionalIdsOf(
  { name, consumes, transacts }: ServiceDescriptor,
  prefix: string,
  groups: string[],
) {
  if (consumes?.as === 'processor') return groups.map((group) => `${group}-`);
  return transacts ? [commandTransactionalId(prefix, name)] : [];
}

/** One rule, as Kafka's own tool takes it. Everything that is not allowed is refused. */
export interface Acl {
  readonly principal: string;
  readonly resource: 'topic' | 'group' | 'transactional-id';
  readonly name: string;
  readonly pattern: 'literal' | 'prefixed';
  /** Sorted. Read and Write include Describe. */
  readonly operations: readonly string[];
}

const MANAGE = ['Alter', 'AlterConfigs', 'Create', 'Describe', 'DescribeConfigs'];

/** Rules of a principal: one for each resource. */
export function aclsOf({ name: principal, ...rights }: Principal): Acl[] {
  const { reads, writes, groups, watches, transactionalIds, manages } = rights;
  const literal = { principal, pattern: 'literal' } as const;
  const prefixed = { principal, pattern: 'prefixed' } as const;
  const topics = [...new Set([...reads, ...writes])].map((topic): Acl => {
    const operations = [reads.includes(topic) && 'Read', writes.includes(topic) && 'Write'];
    return {
      ...literal,
      resource: 'topic',
      name: topic,
      operations: operations.filter((op) => op !== false),
    };
  });
  const member = groups.map((name): Acl => ({ ...literal, resource: 'group', name, operations: ['Read'] }));
  const watched = watches.map(
    (name): Acl => ({ ...literal, resource: 'group', name, operations: ['Describe'] }),
  );
  const transactions = transactionalIds.map((name): Acl => {
    return { ...prefixed, resource: 'transactional-id', name, operations: ['Write'] };
  });
  const managed =
    manages === undefined
      ? []
      : [{ ...prefixed, resource: 'topic' as const, name: manages, operations: MANAGE }];
  return [...topics, ...member, ...watched, ...transactions, ...managed];
}

const HEADER = ['principal', 'runs', 'reads', 'writes', 'groups', 'transactional ids'];

/** The principals as the table of TRUST.md. */
export function accessTable(all: readonly Principal[]): string {
  const rows = all.map(({ name, runs, reads, writes, groups, watches, transactionalIds, manages }) => [
    `\`${name}\``,
    runs,
    topicsText(reads),
    manages === undefined ? topicsText(writes) : `makes and changes \`${manages}*\`, writes none`,
    [...groups.map((group) => `\`${group}\``), ...watches.map((group) => `\`${group}\` (Describe)`)].join(
      ', ',
    ),
    transactionalIds.map((id) => `\`${id}*\``).join(', '),
  ]);
  return markdownTable([HEADER, ...rows]);
}

/** Names the typed topics as one: a principal has all of them or none. */
function topicsText(names: readonly string[]): string {
  const typed = names.filter((name) => eventTopics.includes(name));
  const others = names.filter((name) => !eventTopics.includes(name)).map((name) => `\`${name}\``);
  if (typed.length !== 0 && typed.length !== eventTopics.length)
    throw new Error('some typed topics, not all');
  return [...others, ...(typed.length > 0 ? ['`email.events.*`'] : [])].join(', ');
}
