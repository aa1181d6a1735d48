import { aclsOf, principals, type Acl as Rule } from '@email-events/cli/access/principals';
import { type KafkaSettings, withAdmin } from '@email-events/core';

const RESOURCES = { topic: 2, group: 3, 'transactional-id': 5 } as const;
const PATTERNS = { literal: 3, prefixed: 4 } as const;
const ALLOW = 3;
const OPERATIONS: { readonly [name: string]: number } = {
  Read: 3,
  Write: 4,
  Create: 5,
  Alter: 7,
  Describe: 8,
  DescribeConfigs: 10,
  AlterConfigs: 11,
};

/** The rules of `acl print` as Kafka takes them, each for one operation; `as` stands for their principal. */
function entriesOf({ resource, name, pattern, operations, principal }: Rule, as = principal) {
  return operations.map((operation) => ({
    resourceType: RESOURCES[resource],
    resourceName: name,
    resourcePatternType: PATTERNS[pattern],
    principal: `User:${as}`,
    host: '*',
    operation: OPERATIONS[operation] ?? Number.NaN,
    permissionType: ALLOW,
  }));
}

/** @param settings of someone who may change them */
export async function allow(settings: KafkaSettings, rules: readonly Rule[], as?: string): Promise<void> {
  const acl = rules.flatMap((rule) => entriesOf(rule, as));
  await withAdmin(settings, (admin) => admin.createAcls({ acl }));
}

/** @throws if there was no such rule */
export async function forbid(settings: KafkaSettings, rules: readonly Rule[]): Promise<void> {
  const filters = rules.flatMap((rule) => entriesOf(rule));
  const { filterResponses } = await withAdmin(settings, (admin) => admin.deleteAcls({ filters }));
  const taken = filterResponses.flatMap(({ matchingAcls }) => matchingAcls);
  if (taken.length !== filters.length)
    throw new Error(`${taken.length} rules of ${filters.length} were there`);
}

export const rulesOf = (groupPrefix: string, config: object, name: string): Rule[] =>
  principals(groupPrefix, undefined, config)
    .filter((of) => of.name === name)
    .flatMap(aclsOf);
