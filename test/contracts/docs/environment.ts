import { delimiter } from 'node:path';

/** Of the run that a test is part of, and of where its components are. */
const OURS =
  /^(VITEST|npm_|GIT_|NODE_ENV$|NODE_OPTIONS$|NODE_COMPILE_CACHE$|EMAIL_EVENTS_|STACK$|SERVICES$|KAFKA_BROKERS$|CI$)/;

/**
 * The environment of somebody who has just cloned the repository: their machine's own Node, whatever its version, and a
 * home of their own. Nothing is fetched.
 */
export function environmentOfReader(home: string): { [name: string]: string | undefined } {
  const inherited = Object.entries(process.env).filter(([name]) => !OURS.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    PATH: path.join(delimiter),
    NO_COLOR: '1',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
}
