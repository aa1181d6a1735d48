import { type MigrationPlan, migrate, planMigrations } from '@email-events/sink-clickhouse';
import pc from 'picocolors';
import { type Action, loadPipelineConfig } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { print, printJson } from '../output.ts';

export interface MigrateOptions {
  readonly dryRun: boolean;
}

export const migrateAction: Action<MigrateOptions> = async (options) => {
  const { sinks } = await loadPipelineConfig(options);
  const plan = await (options.dryRun ? planMigrations : migrate)(sinks.clickhouse);
  if (options.json) printJson({ dryRun: options.dryRun, ...plan });
  else print(render(plan, options.dryRun));
  return EXIT.ok;
};

function render({ applied, pending }: MigrationPlan, dryRun: boolean): string {
  const label = (version: number, name: string) => `${String(version).padStart(4, '0')} ${name}`;
  const lines = [
    ...applied.map(({ version, name }) => pc.dim(`${label(version, name)}  applied before`)),
    ...pending.map(
      ({ version, name, statements }) =>
        `${label(version, name)}  ${dryRun ? pc.yellow('to do') : pc.green('done')} (${statements.length} statements)`,
    ),
  ];
  if (dryRun) for (const { statements } of pending) lines.push(...statements.map((text) => `\n${text};`));
  if (pending.length === 0) lines.push(pc.green('the database is up to date'));
  return lines.join('\n');
}
