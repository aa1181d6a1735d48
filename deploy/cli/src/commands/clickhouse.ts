import { isReference, resolveSecret } from '@email-events/core/config';
import { PipelineError } from '@email-events/core/errors';
import { type MigrationPlan, migrate, planMigrations } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import pc from 'picocolors';
import { analystXml } from '../access/analyst.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { collect, collectNames, fromOne } from '../option-values.ts';
import { counted, note, print, printJson, printLines, progress, renderTable } from '../output.ts';
import { visible } from '../terminal.ts';
import { erasedCommand } from './clickhouse-erased.ts';

export function clickhouseCommand(): Command {
  const command = new Command('clickhouse').description('Manage the analytics database');
  const below = new Command('migrate')
    .description('Run the migrations that the database lacks')
    .option('--dry-run', 'show them, run nothing', false);
  const lines = ['clickhouse migrate --dry-run', 'clickhouse migrate'];
  command.addCommand(onRun<MigrateOptions>(below, migrateAction, ...lines));
  command.addCommand(accessCommand());
  command.addCommand(erasedCommand());
  return command;
}

function accessCommand(): Command {
  const command = new Command('access')
    .description(
      'Print a users.d file of ClickHouse for an analyst who may only read, within limits; asks no server',
    )
    .argument('<user>', 'name of the user')
    .option('--password <place>', 'env:NAME or file:/path; without: none, and from this machine only')
    .option('--source <names>', 'only rows of these webhooks; else of all', collectNames)
    .option('--network <cidr>', 'where the user may come from; may be repeated', collect)
    .option('--memory <MiB>', 'memory of a query', fromOne, 2_048)
    .option('--seconds <n>', 'time of a query', fromOne, 60)
    .option('--rows <n>', 'rows of a result', fromOne, 1_000_000)
    .option('--read-rows <n>', 'rows that a query reads', fromOne, 2_000_000_000)
    .option('--threads <n>', 'cores of a query', fromOne, 4)
    .option('--queries <n>', 'queries at a time', fromOne, 8);
  return onRun<AccessOptions>(
    command,
    accessAction,
    'clickhouse access anna --password file:anna.password > /etc/clickhouse-server/users.d/anna.xml',
    'clickhouse access agency --password env:AGENCY --source shop,news --seconds 20 > agency.xml',
  );
}

export interface AccessOptions {
  readonly password?: string;
  readonly source?: readonly string[];
  readonly network?: readonly string[];
  readonly memory: number;
  readonly seconds: number;
  readonly rows: number;
  readonly readRows: number;
  readonly threads: number;
  readonly queries: number;
}

export const accessAction: Action<AccessOptions> = async (options, [user = '']) => {
  const { password, source: sources, network: networks = [], json, ...limits } = options;
  const { sinks, sources: configured } = await loadPipelineConfig(options);
  const strange = (sources ?? []).filter((name) => !Object.hasOwn(configured, name));
  if (strange.length > 0) note(`not among the sources of the configuration: ${visible(strange.join(', '))}`);
  const xml = analystXml({
    ...limits,
    ...{ user, networks, database: sinks.clickhouse.database },
    ...(sources ? { sources } : {}),
    ...(password === undefined ? {} : { password: passwordFrom(password) }),
  });
  if (json) printJson({ user, xml });
  else await printLines(xml);
  return EXIT.ok;
};

/** On the command line itself others would see it. */
function passwordFrom(place: string): string {
  const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);
  if (!isReference(place)) throw usage('--password names a place: env:NAME or file:/path');
  try {
    return resolveSecret(place, process.env);
  } catch (error) {
    throw usage((error as Error).message);
  }
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
  { applied, newer, pending, keep }: MigrationPlan,
  dryRun: boolean,
): Promise<string> {
  const label = (version: number, name: string) => `${String(version).padStart(4, '0')} ${name}`;
  const rows = [
    ...applied.map(({ version, name }) => [label(version, name), pc.dim('applied before'), '']),
    ...newer.map(({ version, name }) => [label(version, name), pc.dim('of a newer release, adds only'), '']),
    ...pending.map(({ version, name, statements }) => [
      label(version, name),
      dryRun ? pc.yellow('to do') : pc.green('done'),
      counted(statements.length, 'statement'),
    ]),
  ];
  const lines = [await renderTable(['migration', '', ''], rows)];
  if (dryRun) for (const { statements } of pending) lines.push(...statements.map((text) => `\n${text};`));
  const kept = dryRun ? 'how long rows are kept, to do' : 'how long rows are kept, done';
  if (keep.length > 0) lines.push(`\n${kept}:`, ...keep.map((text) => `${text};`));
  if (pending.length + keep.length === 0) lines.push(pc.green('the database is up to date'));
  return lines.join('\n');
}
