import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type HomePaths, homeFolder, pathsOf, REPOSITORY } from './home.ts';
import { type RunState, readState } from './state-file.ts';
import { shellWord } from './terminal.ts';

/** A remedy depends on these: a command that works in one state is refused in another. */
export interface Situation {
  readonly self: 'npx email-events' | 'email-events';
  readonly checkout: boolean;
  /** Data, configuration and secrets of this machine's pipeline. */
  readonly home: string;
  /** Of the pipeline on that home now; null: it does not run. */
  readonly phase: RunState['phase'] | null;
  /** The configuration file that the command was given, by option or variable; undefined: that of this machine's pipeline, or defaults. */
  readonly config: string | undefined;
  /** The same as an argument of a further command; the variable holds for that by itself. */
  readonly configArgument: string;
}

/** How an operator calls a command here: the image has no `npx email-events`, and cannot start a pipeline. */
export const selfCommand = (): Situation['self'] => (isCheckout() ? 'npx email-events' : 'email-events');

const isCheckout = () => existsSync(join(REPOSITORY, 'deploy/config/local.yaml'));

export function situationOf({ config }: { readonly config?: string | undefined }): Situation {
  const paths = pathsOf(homeFolder());
  const given = config ?? process.env.EMAIL_EVENTS_CONFIG;
  return {
    self: selfCommand(),
    checkout: isCheckout(),
    home: paths.home,
    phase: phaseOf(paths),
    config: given !== undefined && resolve(given) !== paths.configFile ? given : undefined,
    configArgument: config === undefined ? '' : ` --config ${shellWord(config)}`,
  };
}

/** A state file that cannot be read must not hide the error that is being described. */
function phaseOf(paths: HomePaths): RunState['phase'] | null {
  try {
    // Looking for the lock would make the folder.
    return existsSync(paths.stateFile) ? (readState(paths)?.phase ?? null) : null;
  } catch {
    return null;
  }
}

type Remedy = (situation: Situation) => string;

/** Tells an operator how to mend an error, by its code: the second line of a failure. */
const REMEDIES: { readonly [code: string]: Remedy } = {
  CLI_USAGE: ({ self }) =>
    `\`${self} help\` shows the commands, \`${self} help COMMAND\` its options and examples`,
  INSPECT_REQUEST_INVALID: ({ self }) => `\`${self} help inspect\` shows what a request looks like`,
  INSPECT_CREDENTIALS_UNUSABLE: () =>
    'beside --esp a secret is `--secret VALUE`, an option `--option NAME=VALUE`; a source has its own in the configuration',
  CONFIG_UNREADABLE: () => 'name another file with --config, or EMAIL_EVENTS_CONFIG',
  CONFIG_INVALID: () =>
    `${join(REPOSITORY, 'deploy/config/pipeline.reference.yaml')} shows every key with its meaning`,
  KAFKA_UNREACHABLE: (situation) => reach(situation, 'kafka.brokers'),
  REGISTRY_UNREACHABLE: (situation) => reach(situation, 'registry.url'),
  KAFKA_TOPIC_MISSING: ({ self, configArgument }) =>
    `create the topics with \`${self} topics apply${configArgument}\``,
  KAFKA_TOPIC_CONFLICT: ({ self, configArgument }) =>
    `\`${self} topics plan${configArgument}\` shows all of them: configure what is there, or change it with Kafka's own tool`,
  SCHEMA_NOT_REGISTERED: ({ self, configArgument }) =>
    `register the schemas with \`${self} schemas register${configArgument}\``,
  SINK_CLICKHOUSE_MIGRATION_EDITED: (situation) =>
    situation.config === undefined && situation.checkout
      ? `the database was made by another version: go back to that one, or ${removeData(situation)}`
      : 'the database was made by another version: go back to that one, or configure another database',
  RUN_ALREADY_RUNNING: ({ self, phase }) =>
    phase === 'running' || phase === 'starting'
      ? `\`${self} status\` shows it, \`${self} down\` stops it`
      : 'it stops, or has only begun: try again in a moment',
  RUN_NOT_RUNNING: ({ self, checkout }) =>
    checkout
      ? `start it with \`${self} up\``
      : `\`${self} status --admin URL\` asks services that run elsewhere, by their admin ports`,
  // From the ClickHouse client only: unreachable Kafka or registry has a code of this project.
  ECONNREFUSED: (situation) => reach(situation, 'sinks.clickhouse.url'),
  UNKNOWN_DATABASE: migrate,
  UNKNOWN_TABLE: migrate,
  UNKNOWN_IDENTIFIER: migrate,
  BACKFILL_SINK_BEHIND: whenInStep,
  BACKFILL_KEEP_UNKNOWN: () =>
    'a TTL that removes rows is read if it is `occurred_at + toIntervalDay(n)`, or as sinks.clickhouse.keepEventsDays makes it',
  BACKFILL_KEY_MISSING: () => 'put every key with which rows were written into erasure.keys',
  CLI_SINK_BEHIND: whenInStep,
  CLI_CHANGE_DIFFERS: () => 'the same command without --yes-change shows what would change now',
  DLQ_NOT_FOUND: ({ self, configArgument }) =>
    `\`${self} dlq list --status all${configArgument}\` shows those that there are`,
};

export const CODES_WITH_REMEDY: readonly string[] = Object.keys(REMEDIES);

export function remedyFor(code: string, situation: Situation): string | undefined {
  return Object.hasOwn(REMEDIES, code) ? REMEDIES[code]?.(situation) : undefined;
}

function reach({ self, checkout, phase, config }: Situation, key: string): string {
  if (config !== undefined) return `is ${key} right in ${config}, and does it run?`;
  if (phase === 'starting') return `the pipeline starts: \`${self} status\` says when it is ready`;
  if (phase !== null)
    return `\`${self} status\` shows what of the pipeline does not run; \`${self} down\`, then \`${self} up\` starts it anew`;
  if (!checkout) return `set ${key} to yours`;
  return `start the pipeline with \`${self} up\`, or set ${key} to yours`;
}

function migrate({ self, configArgument }: Situation): string {
  return `make the tables with \`${self} clickhouse migrate${configArgument}\``;
}

function whenInStep({ self, phase, config }: Situation): string {
  const where =
    phase !== null && config === undefined
      ? `\`${self} status\` shows whether it runs, and how far it is behind`
      : 'its metric email_events_consumer_lag says how far it is behind';
  return `again once sink-clickhouse has caught up: ${where}`;
}

/** The stores hold positions in each other, so an operator who removes one must remove all of them. */
function removeData({ self, phase, home }: Pick<Situation, 'self' | 'phase' | 'home'>): string {
  const stop = phase === null ? '' : `\`${self} down\` and `;
  return `${stop}remove all data of this machine's pipeline, ${join(home, 'data')}`;
}
