import { randomBytes } from 'node:crypto';

const MARK = /[-_]test[0-9a-f]{10}/;

/** A name that no other test uses, now or in an earlier run: for topics, consumer groups, subjects. */
export function unique(name: string): string {
  return `${name}-test${randomBytes(5).toString('hex')}`;
}

/** The same, fit for a ClickHouse database. */
export function uniqueDatabase(name: string): string {
  return unique(name).replaceAll(/[^a-z0-9_]/g, '_');
}

/** Whether a name, or what was made of it, is of a test: those may be removed. */
export function isOfTest(name: string): boolean {
  return MARK.test(name);
}

/** Variables by which a service, or STACK=external, finds components. */
const OF_COMPONENTS = /^EMAIL_EVENTS_(KAFKA|REGISTRY|CLICKHOUSE|SINKS_CLICKHOUSE)_/;

/**
 * Takes addresses out of this process's environment. A service prefers the environment to its configuration file, so one
 * that a test starts on another stack than that of the environment would go to the wrong one.
 */
export function forgetAddresses(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of Object.keys(env)) if (OF_COMPONENTS.test(name)) delete env[name];
}
