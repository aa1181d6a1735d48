import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the checkout: where the services' packages are. */
export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** Everything that a local pipeline keeps: `.email-events` in the checkout, or EMAIL_EVENTS_HOME. */
export function homeFolder(env: { readonly [name: string]: string | undefined } = process.env): string {
  return resolve(env.EMAIL_EVENTS_HOME || join(REPOSITORY, '.email-events'));
}

export interface HomePaths {
  readonly home: string;
  /** Data of Kafka, registry and ClickHouse. */
  readonly stack: string;
  /** The events processor's stores. */
  readonly state: string;
  /** Requests that wait for Kafka. */
  readonly spool: string;
  readonly receiver: string;
  readonly secrets: string;
  readonly logs: string;
  readonly lockFile: string;
  readonly stateFile: string;
  readonly portsFile: string;
  /** Generated at each start. */
  readonly configFile: string;
  /** The same as services in containers see it. */
  readonly insideConfigFile: string;
}

export function pathsOf(home: string): HomePaths {
  const at = (...parts: string[]) => join(home, ...parts);
  return {
    home,
    stack: at('data', 'stack'),
    state: at('data', 'state'),
    spool: at('data', 'spool'),
    receiver: at('data', 'receiver'),
    secrets: at('secrets'),
    logs: at('logs'),
    lockFile: at('run', 'run.lock'),
    stateFile: at('run', 'state.json'),
    portsFile: at('run', 'ports.json'),
    configFile: at('run', 'pipeline.yaml'),
    insideConfigFile: at('run', 'pipeline.inside.yaml'),
  };
}
