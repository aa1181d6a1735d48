/** Variables by which a service, or STACK=external, finds components. */
const OF_COMPONENTS = /^EMAIL_EVENTS_(KAFKA|REGISTRY|CLICKHOUSE|SINKS_CLICKHOUSE)_/;

/**
 * Takes addresses out of this process's environment. A service prefers the environment to its configuration file, so one
 * that a test starts on another stack than that of the environment would go to the wrong one.
 */
export function forgetAddresses(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of Object.keys(env)) if (OF_COMPONENTS.test(name)) delete env[name];
}
