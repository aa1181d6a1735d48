import { ConfigError, TransactionalWriter } from '@email-events/core';
import type { ConfiguredCrm, CrmAdapter } from '@email-events/sink-crm';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, type CommonOptions, examples, loadPipelineConfig, onRun } from '../command.ts';
import { type Comparison, compare, isBlast, repairs } from '../crm/reconcile.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { fromZero } from '../option-values.ts';
import { counted, note, print, printJson, progress, renderTable } from '../output.ts';
import type { PipelineConfig } from '../services.ts';
import { suppressionsOf } from '../suppressions/topic.ts';
import { visible } from '../terminal.ts';
import { requireCount, usage } from './suppressions-change.ts';

export function crmCommand(): Command {
  const command = new Command('crm').description('What a CRM holds, compared with the suppressions');
  command.addCommand(reconcileCommand());
  return command;
}

function reconcileCommand(): Command {
  const command = new Command('reconcile')
    .description(
      'Put back for a CRM the suppressions that it does not list, and show what only it suppresses',
    )
    .option('--crm <name>', 'one of sinks.crm.others (default: the CRM of sinks.crm itself)')
    .option('--dry-run', 'say what would be put back, change nothing', false)
    .option('--yes-change <n>', 'needed for more than 100, or 1 %: just so many as it was said', fromZero)
    .option('--max <n>', 'show the first n of each', fromZero, 20);
  onRun<ReconcileOptions>(command, reconcileAction);
  command.addHelpText(
    'after',
    `
The CRM's own consumer writes what is put back, at its pace; run it again later to see what is left. What only the CRM
suppresses is shown and left as it is. Exits 1 if something is missing that was not put back.`,
  );
  return examples(
    command,
    'crm reconcile --dry-run',
    'crm reconcile --crm newsletter',
    'crm reconcile --crm newsletter --yes-change 1234 --json',
  );
}

export interface ReconcileOptions {
  readonly crm?: string;
  readonly dryRun: boolean;
  readonly yesChange?: number;
  readonly max: number;
}

/** Of the limit of the CRM; the rest is the sink's. */
const SHARE = 0.2;
/** Records of a transaction. */
const AT_A_TIME = 500;

export const reconcileAction: Action<ReconcileOptions> = async (options) => {
  if (options.dryRun && options.yesChange !== undefined) throw usage('either --dry-run or --yes-change');
  const config = await loadPipelineConfig(options);
  const { crm, adapter } = await openCrm(config, options.crm);
  try {
    return await reconcile(config, crm, adapter, options);
  } finally {
    await adapter.close();
  }
};

/** Compares, and puts back what is missing. Throws CrmError, KAFKA_UNREACHABLE, CLI_CHANGE_DIFFERS. */
export async function reconcile(
  config: PipelineConfig,
  { consumer }: Pick<ConfiguredCrm, 'consumer'>,
  adapter: Pick<CrmAdapter, 'suppressed'>,
  options: ReconcileOptions & Pick<CommonOptions, 'json'>,
): Promise<ExitCode> {
  const { json, dryRun, yesChange } = options;
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const { signal } = abort;
  if (!adapter.suppressed)
    throw usage(`${consumer}: this kind of CRM lists nothing, so nothing can be compared`);
  const tell = (what: string) => (count: number) => {
    if (!json) progress(`${counted(count, what)} read`);
  };
  const compared = await compare({
    ...{ from: suppressionsOf(config), listed: adapter.suppressed(signal), signal },
    ...{ onListed: tell('contact'), onRead: tell('record') },
  });
  const { missing } = compared;
  if (yesChange !== undefined) requireCount(missing.length, yesChange, 'suppression');
  const stopped = !dryRun && yesChange === undefined && isBlast(compared);
  const put = dryRun || stopped ? 0 : await putBack(config, consumer, missing, signal);
  await report(options, consumer, compared, put, stopped);
  if (signal.aborted) return EXIT.interrupted;
  return put < missing.length && !dryRun ? EXIT.failed : EXIT.ok;
}

async function openCrm(config: PipelineConfig, name: string | undefined) {
  const { configuredCrms, crmOf, paceOf, SharedPace } = await import('@email-events/sink-crm');
  const all = configuredCrms(config);
  const crm = all.find((one) => one.name === name);
  if (!crm) {
    const names = all.flatMap((one) => one.name ?? []).join(', ') || 'none in sinks.crm.others';
    throw usage(
      name === undefined ? 'no CRM is configured' : `no CRM is called ${name}; there are: ${names}`,
    );
  }
  const { settings, path } = crm;
  const definition = crmOf(settings, path);
  const problems = definition.problems(settings, path);
  if (problems.length > 0) throw new ConfigError(problems);
  const published = paceOf(definition.facts.pace, settings.callsPerSecond);
  const pace = published && new SharedPace({ published, now: Date.now });
  pace?.setShare(SHARE);
  return { crm, adapter: definition.connect(settings, Date.now, pace) };
}

/** Returns how many were put back: each part is all or nothing, and what a stop leaves is missing still the next time. */
async function putBack(
  { kafka }: PipelineConfig,
  consumer: string,
  missing: Comparison['missing'],
  signal: AbortSignal,
): Promise<number> {
  if (missing.length === 0) return 0;
  const writer = await TransactionalWriter.open(kafka, 'crm');
  let put = 0;
  try {
    for (; put < missing.length && !signal.aborted; ) {
      const part = missing.slice(put, put + AT_A_TIME);
      await writer.write(repairs(part, consumer));
      put += part.length;
    }
    return put;
  } finally {
    await writer.close();
  }
}

async function report(
  { json, dryRun, max }: ReconcileOptions & Pick<CommonOptions, 'json'>,
  consumer: string,
  { listed, suppressed, missing, extras }: Comparison,
  put: number,
  stopped: boolean,
): Promise<void> {
  const counts = { listed, suppressed, missing: missing.length, extras: extras.length, putBack: put };
  const shown = {
    missing: missing.slice(0, max).map(({ recipient }) => recipient),
    extras: extras.slice(0, max),
  };
  if (json) return printJson({ consumer, dryRun, stopped, ...counts, shown });
  print(await renderTable(['', 'recipients'], Object.entries(counts)));
  for (const recipient of shown.missing) print(visible(`missing ${recipient}`));
  for (const recipient of shown.extras) print(visible(`only there ${recipient}`));
  if (stopped) note(pc.red(`nothing was put back: for so many, say --yes-change ${missing.length}`));
}
