import { Command } from 'commander';
import { act, examples } from '../command.ts';
import type { MigrateOptions } from './clickhouse-action.ts';

export function clickhouseCommand(): Command {
  const command = new Command('clickhouse').description('Manage the analytics database');
  command.addCommand(
    examples(
      act<MigrateOptions>(
        new Command('migrate')
          .description('Run the migrations that the database lacks')
          .option('--dry-run', 'show them, run nothing', false),
        async () => (await import('./clickhouse-action.ts')).migrateAction,
      ),
      'clickhouse migrate --dry-run',
      'clickhouse migrate',
    ),
  );
  return command;
}
