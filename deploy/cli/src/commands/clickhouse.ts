import { type MigrationPlan, migrate, planMigrations } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { counted, print, printJson, progress, renderTable } from '../output.ts';

export function clickhouseCommand(): Command {
  const command = new Command('clickhouse').description('Manage the analytics database');
  const below = new Command('migrate')
    .description('Run the migrations that the database lacks')
    .option('--dry-run', 'show them, run nothing', false);
  const lines = ['clickhouse migrate --dry-run', 'clickhouse migrate'];
  command.addCommand(onRun<MigrateOptions>(below, migrateAction, ...lines));
  return command;
}

export interface MigrateOptions {
  readonly dryRun: boolean;
}

export const migrateAction: Action<MigrateOptions> = async (options) => {
  const { sinks } = await loadPipelineConfig(options);
  const plan = options.dryRun
    ? await planMigrations(sinks.clickhouse)
    : await migrate(sinks.clickhouse, undefined, ({ migration, done, days }) => {
        if (!options.json) progress(`${migration}: ${done} of ${counted(days, 'day')} of events filled in`);
      });
  if (options.json) printJson({ dryRun: options.dryRun, ...plan });
  else print(await renderMigrations(plan, options.dryRun));
  return EXIT.ok;
};

export async function renderMigrations(
  { applied, pending }: MigrationPlan,
  dryRun: boolean,
): Promise<string> {
  const label = (version: number, name: string) => `${String(version).padStart(4, '0')} ${name}`;
  const rows = [
    ...applied.map(({ version, name }) => [label(version, name), pc.dim('applied before'), '']),
    ...pending.map(({ version, name, statements }) => [
      label(version, name),
      dryRun ? pc.yellow('to do') : pc.green('done'),
      counted(statements.length, 'statement'),
    ]),
  ];
  const lines = [await renderTable(['migration', '', ''], rows)];
  if (dryRun) for (const { statements } of pending) lines.push(...statements.map((text) => `\n${text};`));
  if (pending.length === 0) lines.push(pc.green('the database is up to date'));
  return lines.join('\n');
}
