import { codeOf } from '@email-events/core/errors';
import pc from 'picocolors';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { jsonText, visible } from './terminal.ts';

/** What to do about an error, by its code: the second line that a person sees. */
const HINTS: { readonly [code: string]: string } = {
  CLI_USAGE: 'email-events help shows the commands, email-events help COMMAND its options and examples',
  INSPECT_REQUEST_INVALID:
    'expected is JSON such as {"method": "POST", "url": "/", "headers": {}, "body": "…"}, or a fixture of this repository; email-events help inspect says more',
  CONFIG_UNREADABLE: 'name another file with --config, or EMAIL_EVENTS_CONFIG',
  CONFIG_INVALID: 'deploy/config/pipeline.reference.yaml shows every key with its meaning',
  KAFKA_UNREACHABLE: 'start the pipeline with `npx email-events up`, or set kafka.brokers to your cluster',
  KAFKA_TOPIC_MISSING: 'create the topics with `npx email-events topics apply`',
  REGISTRY_UNREACHABLE: 'start the pipeline with `npx email-events up`, or set registry.url to yours',
  SCHEMA_NOT_REGISTERED: 'register the schemas with `npx email-events schemas register`',
  SINK_CLICKHOUSE_MIGRATION_EDITED:
    'the database was made by another version: go back to that one, or remove the database (a local one: .email-events/data)',
  RUN_ALREADY_RUNNING: '`npx email-events status` shows it, `npx email-events down` stops it',
  RUN_NOT_RUNNING: 'start it with `npx email-events up`',
};

const EXIT_CODES: { readonly [code: string]: ExitCode } = {
  CLI_USAGE: EXIT.usage,
  INSPECT_REQUEST_INVALID: EXIT.usage,
  RUN_NOT_RUNNING: EXIT.notRunning,
};

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
}

export function failureOf(error: unknown): Failure {
  const code = codeOf(error);
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  return { code, message, hint: HINTS[code], exitCode: EXIT_CODES[code] ?? EXIT.failed };
}

/** The error as text for standard error. The stack only on request: a coded error is for people who run things. */
export function describeFailure(
  error: unknown,
  { json, verbose }: { json: boolean; verbose: boolean },
): string {
  const { code, message, hint } = failureOf(error);
  if (json) return jsonText({ error: { code, message, ...(hint ? { hint } : {}) } });
  // A broker, a registry or ClickHouse may have said part of it; problems are told one a line.
  const lines = [`${pc.red(code)} ${visible(message, 'lines')}`];
  if (hint) lines.push(pc.dim(`→ ${hint}`));
  if (verbose && error instanceof Error) lines.push(pc.dim(visible(fullStack(error), 'lines')));
  return lines.join('\n');
}

function fullStack(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${fullStack(error.cause)}` : own;
}
