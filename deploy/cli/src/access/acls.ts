import type { Principal } from './principals.ts';

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
