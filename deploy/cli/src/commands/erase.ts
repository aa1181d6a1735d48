import { PipelineError, pseudonymsOf } from '@email-events/core';
import { keyOfAddress, type OperatorAction } from '@email-events/schemas';
import { connect, eraseRecipients, keysInRows, rowsOfRecipients } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import pc from 'picocolors';
import { requireCount, usage } from '../changes.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { hasWritten } from '../erase/caught-up.ts';
import type { CrmPlan } from '../erase/crms.ts';
import { type Remains, remainsInKafka } from '../erase/remains.ts';
import { type ErasureReport, erasureJson, erasureText } from '../erase/report.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { fromOne, positive } from '../option-values.ts';
import { counted, formatCount, note, print, printJson, progress } from '../output.ts';
import type { PipelineConfig } from '../services.ts';
import { addressesOfFile, keysOfRecipients } from '../suppressions/address.ts';
import { erase, order } from '../suppressions/orders.ts';
import { suppressionsOf } from '../suppressions/topic.ts';
import { visible } from '../terminal.ts';
import { type OrderedOptions, ordered, orderOf } from './suppressions-change.ts';

export function eraseCommand(): Command {
  const command = new Command('erase')
    .description(
      'Forget recipients: their events, states and rows; that they must not be mailed stays, as a hash',
    )
    .argument('[address...]', 'email addresses')
    .option('--file <file>', 'addresses from a file, one a line; - is standard input')
    .option(
      '--yes-change <n>',
      'do it, for just this number of recipients; without it, show what would be done',
      fromOne,
    )
    .option('--crm', 'erase them at the CRMs as well, where a CRM has such a call', false)
    .option(
      '--calls-per-second <n>',
      'with --crm: what the sinks leave of a CRM’s limit (default: 4 % of it)',
      positive,
    );
  ordered(command);
  onRun<EraseOptions>(
    command,
    eraseAction,
    'erase ann@example.com --why "asked by mail"',
    'erase ann@example.com --why "asked by mail" --yes-change 1',
    'erase ann@example.com --why "asked by mail" --crm --yes-change 1',
  );
  command.addHelpText(
    'after',
    '\nIt can be given again, and goes on where it ended. Without --crm, CRMs are not told. With it the command exits with 1\nif one of them could not be asked or refused, and says of each what became of the contact, and whether an import can bring the address back as one\nthat is mailed there.',
  );
  return command;
}

export interface EraseOptions extends OrderedOptions {
  readonly yesChange?: number;
  readonly crm: boolean;
  readonly callsPerSecond?: number;
}

export const eraseAction: Action<EraseOptions> = async (options, addresses) => {
  const listed = options.file === undefined ? [] : await addressesOfFile(options.file);
  const recipients = keysOfRecipients([...addresses, ...listed]);
  if (options.callsPerSecond !== undefined && !options.crm) throw usage('--calls-per-second goes with --crm');
  if (recipients.length === 0) throw usage('name addresses, or a file with --file');
  const strange = recipients.filter((recipient) => keyOfAddress(recipient) === undefined);
  if (strange.length > 0 && !options.json)
    note(pc.yellow(visible(`no email address, and taken as it is written: ${strange.join(', ')}`)));
  const config = await loadPipelineConfig(options);
  if (config.erasure.keys.length === 0)
    throw usage('erasure.keys: without a key, that they must not be mailed could not be kept');
  const remains = remainsInKafka(config, Date.now());
  if (options.yesChange === undefined) {
    const rows = await inClickHouse(config, (clickhouse) =>
      rowsOfRecipients(clickhouse, config.sinks.clickhouse.database, keysOf(config, recipients)),
    );
    const plans = options.crm ? await planned(config, recipients, options) : [];
    await tell(options.json, { dryRun: true, recipients, rows, remains, crms: [], plans });
    return EXIT.ok;
  }
  requireCount(recipients.length, options.yesChange, 'recipient');
  return eraseNow(options, config, recipients, remains);
};

/** Under which rows may have them. */
const keysOf = (config: PipelineConfig, recipients: readonly string[]) => {
  const keys = pseudonymsOf(config);
  return recipients.flatMap((recipient) => keysInRows(recipient, keys));
};

/** No CRM has a contact of what is no address. */
const addressesOf = (recipients: readonly string[]) =>
  recipients.filter((recipient) => keyOfAddress(recipient) !== undefined);

/** Looks at CRMs take their time, at what the sinks leave of the limits. Milliseconds. */
const PLAN_MS = 60_000;

/** Adapters take their time to load: no other order waits for them. */
const loadCrms = () => import('../erase/crms.ts');

async function planned(
  config: PipelineConfig,
  recipients: readonly string[],
  options: EraseOptions,
): Promise<CrmPlan[]> {
  const { openCrms, closeAll, planAtCrms } = await loadCrms();
  const targets = openCrms(config, options.callsPerSecond);
  try {
    return await planAtCrms(targets, addressesOf(recipients), { signal: AbortSignal.timeout(PLAN_MS) });
  } finally {
    await closeAll(targets);
  }
}

async function eraseNow(
  options: EraseOptions & { readonly json: boolean },
  config: PipelineConfig,
  recipients: readonly string[],
  remains: readonly Remains[],
): Promise<ExitCode> {
  const said = orderOf(options);
  const deadline = AbortSignal.timeout(waitMsOf(options));
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort());
  const signal = AbortSignal.any([deadline, interrupted.signal]);
  const actions = recipients.map((recipient) => erase(recipient, said));
  const say = (text: string) => options.json || progress(text);
  // What is configured wrong is said before anything is done.
  const crmsOf = options.crm ? await loadCrms() : undefined;
  const targets = crmsOf?.openCrms(config, options.callsPerSecond) ?? [];
  try {
    await forget(options, config, actions, signal);
    // Each is told of, although the other failed.
    const [removed, crms] = await Promise.all([
      Promise.allSettled([
        signal.aborted ? undefined : removeRows(config, keysOf(config, recipients), signal),
      ]),
      crmsOf?.eraseAtCrms(config, targets, addressesOf(recipients), { signal, say }) ?? [],
    ]);
    const [removal] = removed;
    const rows = removal.status === 'fulfilled' ? removal.value : undefined;
    if (rows || crms.length > 0)
      await tell(options.json, {
        dryRun: false,
        recipients,
        rows: rows ?? null,
        remains,
        crms,
        plans: [],
      });
    if (interrupted.signal.aborted) return EXIT.interrupted;
    if (removal.status === 'rejected') throw removal.reason;
    if (!rows)
      throw new PipelineError(
        'CLI_SINK_BEHIND',
        'retry',
        'the recipients are being forgotten, and rows of theirs may still be written: give the order again when `events` and sink-clickhouse have caught up',
      );
    // What a CRM has taken and still shows is not done either.
    const isDone = crms.every(({ problem, recipients: { underWay } }) => problem === null && underWay === 0);
    return isDone ? EXIT.ok : EXIT.failed;
  } finally {
    await crmsOf?.closeAll(targets);
  }
}

/**
 * Takes the rows out until there are none after the sink has once more written all that there was: the end of a record and the end of its
 * transaction need not be seen at the same moment everywhere. Undefined: the signal ended it before.
 */
async function removeRows(
  config: PipelineConfig,
  recipients: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number> | undefined> {
  const all = new Map<string, number>();
  for (let round = 0; !signal.aborted; round++) {
    if (!(await hasWritten(config, { service: 'sink-clickhouse' }, Date.now(), signal))) return undefined;
    const rows = await inClickHouse(config, (clickhouse) =>
      eraseRecipients(clickhouse, config.sinks.clickhouse, recipients),
    );
    for (const [table, count] of rows) all.set(table, (all.get(table) ?? 0) + count);
    if (round > 0 && ![...rows.values()].some((count) => count > 0)) return all;
  }
  return undefined;
}

/** A command that does not wait could not take out what is still on its way. */
function waitMsOf({ wait }: OrderedOptions): number {
  if (wait === false) throw usage('--no-wait: rows can be taken out only once the last of them were written');
  return Number(wait) * 1_000;
}

async function forget(
  { json }: EraseOptions & { readonly json: boolean },
  config: PipelineConfig,
  actions: readonly OperatorAction[],
  signal: AbortSignal,
): Promise<void> {
  const result = await order({
    ...suppressionsOf(config),
    ...{ actions, signal, waitMs: MOST_WAIT_MS },
    onProgress: ({ changed, unchanged, ordered: written }) => {
      if (!json) progress(`${formatCount(changed + unchanged)} of ${counted(written, 'order')} taken`);
    },
  });
  if (result.changed + result.unchanged < actions.length && !signal.aborted)
    throw new PipelineError('CLI_UNAVAILABLE', 'retry', 'not all orders were taken');
}

/** The signal ends it before. */
const MOST_WAIT_MS = 2_000_000_000;

async function inClickHouse<T>(
  { sinks }: PipelineConfig,
  work: (clickhouse: ReturnType<typeof connect>) => Promise<T>,
): Promise<T> {
  const clickhouse = connect(sinks.clickhouse);
  try {
    return await work(clickhouse);
  } finally {
    await clickhouse.close();
  }
}

async function tell(json: boolean, report: ErasureReport): Promise<void> {
  if (json) printJson(erasureJson(report));
  else print(await erasureText(report));
}
