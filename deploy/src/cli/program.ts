import { Command } from 'commander';
import { backfillCommand } from './commands/backfill.ts';
import { clickhouseCommand } from './commands/clickhouse.ts';
import { configCommand } from './commands/config.ts';
import { dlqCommand } from './commands/dlq.ts';
import { downCommand } from './commands/down.ts';
import { inspectCommand } from './commands/inspect.ts';
import { schemasCommand } from './commands/schemas.ts';
import { simulateCommand } from './commands/simulate.ts';
import { startCommand } from './commands/start.ts';
import { statusCommand } from './commands/status.ts';
import { tailCommand } from './commands/tail.ts';
import { topicsCommand } from './commands/topics.ts';
import { upCommand } from './commands/up.ts';

const EXIT_CODES = `
Exit codes: 0 done · 1 failed or found problems · 2 wrong usage · 3 inspect: not verified · 4 nothing runs here · 130 interrupted`;

/** All commands. Each loads what it needs when it runs, so that none pays for another. */
export function createProgram(): Command {
  const program = new Command('email-events')
    .description(
      'Email provider webhooks in, typed Kafka topics, ClickHouse analytics and CRM suppressions out.',
    )
    .option('--json', 'print JSON', false)
    .option('--verbose', 'show where an error comes from', false)
    .option(
      '--config <file>',
      'configuration file (default: EMAIL_EVENTS_CONFIG, else that of the local pipeline)',
    )
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showHelpAfterError('(add --help for what it takes)')
    .addHelpText('after', EXIT_CODES);
  const commands = [
    startCommand(),
    upCommand(),
    downCommand(),
    statusCommand(),
    configCommand(),
    topicsCommand(),
    schemasCommand(),
    clickhouseCommand(),
    inspectCommand(),
    simulateCommand(),
    tailCommand(),
    dlqCommand(),
    backfillCommand(),
  ];
  for (const command of commands) program.addCommand(inherit(command));
  return program;
}

/** What a program's own `command()` would have handed down. */
function inherit(command: Command): Command {
  command.exitOverride().configureHelp({ showGlobalOptions: true });
  command.showHelpAfterError('(add --help for what it takes)');
  for (const child of command.commands) inherit(child);
  return command;
}
