import { readFileSync } from 'node:fs';
import { PipelineError } from '@email-events/core/errors';
import { Command, type OutputConfiguration } from 'commander';
import { completionCommand } from './commands/completion.ts';
import { forTerminal } from './terminal.ts';

const EXIT_CODES = `
Exit codes: 0 done · 1 failed or found problems · 2 wrong usage · 3 inspect: not verified · 4 nothing runs here · 130 interrupted`;

/** Commander's messages quote the argument that they refuse, which may hold control characters. */
const OUTPUT: OutputConfiguration = { outputError: (text, write) => write(forTerminal(text)) };

/** Commands by name, each with what makes it. */
export type CommandTable = { readonly [name: string]: () => Promise<Command> };

const COMMANDS: CommandTable = {
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  run: async () => (await import('./commands/run.ts')).runCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
  topics: async () => (await import('./commands/topics.ts')).topicsCommand(),
  acl: async () => (await import('./commands/acl.ts')).aclCommand(),
  schemas: async () => (await import('./commands/schemas.ts')).schemasCommand(),
  clickhouse: async () => (await import('./commands/clickhouse.ts')).clickhouseCommand(),
  inspect: async () => (await import('./commands/inspect.ts')).inspectCommand(),
  tail: async () => (await import('./commands/tail.ts')).tailCommand(),
  dlq: async () => (await import('./commands/dlq.ts')).dlqCommand(),
  quarantine: async () => (await import('./commands/quarantine.ts')).quarantineCommand(),
  backfill: async () => (await import('./commands/backfill.ts')).backfillCommand(),
  suppressions: async () => (await import('./commands/suppressions.ts')).suppressionsCommand(),
  crm: async () => (await import('./commands/crm.ts')).crmCommand(),
  recipient: async () => (await import('./commands/recipient.ts')).recipientCommand(),
  report: async () => (await import('./commands/report.ts')).reportCommand(),
  erase: async () => (await import('./commands/erase.ts')).eraseCommand(),
  marks: async () => (await import('./commands/marks.ts')).marksCommand(),
};

/**
 * The operator's commands, and those that the caller adds or puts in place of one. The one that the arguments begin with is
 * loaded alone, as no command should wait for what another needs; with any other arguments, or none, all are there.
 */
export async function createProgram(args: readonly string[] = [], more: CommandTable = {}): Promise<Command> {
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
  const table = { ...more, ...COMMANDS, ...more };
  const [first = ''] = args;
  const names = Object.hasOwn(table, first) ? [first] : Object.keys(table);
  for (const command of await Promise.all(names.map((name) => table[name]?.())))
    if (command) program.addCommand(inherit(command));
  program.addCommand(inherit(completionCommand(program)));
  program.addCommand(inherit(helpCommand(program)));
  return program;
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Gives a command the settings of the program: `addCommand` does not, as `command()` would. */
function inherit(command: Command): Command {
  command.exitOverride().configureHelp({ showGlobalOptions: true });
  command.showHelpAfterError('(add --help for what it takes)');
  command.configureOutput(OUTPUT);
  for (const child of command.commands) inherit(child);
  return command;
}

/** `help`, `help dlq`, `help dlq list`: of the program, of a command, and of one below it. */
export function helpCommand(program: Command): Command {
  return new Command('help')
    .description('show what a command takes, with examples')
    .argument('[command...]', 'its name, then that of one below it')
    .action((names: readonly string[]) => find(program, names).outputHelp());
}

/** Throws CLI_USAGE. */
function find(program: Command, names: readonly string[]): Command {
  let found = program;
  for (const name of names) {
    const child = found.commands.find(
      (command) => command.name() === name || command.aliases().includes(name),
    );
    if (child === undefined) {
      const known = found.commands.map((command) => command.name()).join(', ') || 'none';
      const of = found === program ? 'command' : `command of ${found.name()}`;
      throw new PipelineError('CLI_USAGE', 'reject', `no ${of} is called "${name}"; there are: ${known}`);
    }
    found = child;
  }
  return found;
}
