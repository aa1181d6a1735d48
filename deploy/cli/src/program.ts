import { readFileSync } from 'node:fs';
import { Command, type OutputConfiguration } from 'commander';
import { aclCommand } from './commands/acl.ts';
import { backfillCommand } from './commands/backfill.ts';
import { clickhouseCommand } from './commands/clickhouse.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand } from './commands/config.ts';
import { dlqCommand } from './commands/dlq.ts';
import { inspectCommand } from './commands/inspect.ts';
import { marksCommand } from './commands/marks.ts';
import { runCommand } from './commands/run.ts';
import { schemasCommand } from './commands/schemas.ts';
import { statusCommand } from './commands/status.ts';
import { suppressionsCommand } from './commands/suppressions.ts';
import { tailCommand } from './commands/tail.ts';
import { topicsCommand } from './commands/topics.ts';
import { helpCommand } from './help-command.ts';
import { forTerminal } from './terminal.ts';

const EXIT_CODES = `
Exit codes: 0 done · 1 failed or found problems · 2 wrong usage · 3 inspect: not verified · 4 nothing runs here · 130 interrupted`;

/** What is wrong with an argument quotes it. */
const OUTPUT: OutputConfiguration = { outputError: (text, write) => write(forTerminal(text)) };

/**
 * All commands that an operator has, and those that the caller adds: one of the same name takes the place of the operator's,
 * others come first. Each loads what it needs when it runs, so that none pays for another.
 */
export function createProgram(more: readonly Command[] = []): Command {
  const program = new Command('email-events')
    .description(
      'Email provider webhooks in, typed Kafka topics, ClickHouse analytics and CRM suppressions out.',
    )
    .version(version(), '--version', 'print the version')
    .option('--json', 'print JSON', false)
    .option('--verbose', 'show where an error comes from', false)
    .option(
      '--config <file>',
      'configuration file (default: EMAIL_EVENTS_CONFIG, else that of the local pipeline)',
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .helpCommand(false)
    .configureOutput(OUTPUT)
    .showHelpAfterError('(add --help for what it takes)')
    .addHelpText('after', EXIT_CODES);
  const own = [
    statusCommand(),
    runCommand(),
    configCommand(),
    topicsCommand(),
    aclCommand(),
    schemasCommand(),
    clickhouseCommand(),
    inspectCommand(),
    tailCommand(),
    dlqCommand(),
    backfillCommand(),
    suppressionsCommand(),
    marksCommand(),
  ];
  for (const command of merged(own, more)) program.addCommand(inherit(command));
  program.addCommand(inherit(completionCommand(program)));
  program.addCommand(inherit(helpCommand(program)));
  return program;
}

function merged(own: readonly Command[], more: readonly Command[]): Command[] {
  const names = own.map((command) => command.name());
  const added = more.filter((command) => !names.includes(command.name()));
  return [
    ...added,
    ...own.map((command) => more.find((other) => other.name() === command.name()) ?? command),
  ];
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** What a program's own `command()` would have handed down. */
function inherit(command: Command): Command {
  command.exitOverride().configureHelp({ showGlobalOptions: true });
  command.showHelpAfterError('(add --help for what it takes)');
  command.configureOutput(OUTPUT);
  for (const child of command.commands) inherit(child);
  return command;
}
