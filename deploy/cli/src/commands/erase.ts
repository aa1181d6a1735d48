import { setTimeout as delay } from 'node:timers/promises';
import { lagSince, PipelineError, pseudonymsOf } from '@email-events/core';
import type { OperatorAction } from '@email-events/schemas';
import { connect, eraseRecipients, rowsOfRecipients } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import pc from 'picocolors';
import { requireCount, usage } from '../changes.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { type Remains, remainsInKafka } from '../erase/remains.ts';
import { EXIT } from '../exit-codes.ts';
import { fromOne } from '../option-values.ts';
import { counted, formatCount, print, printJson, progress, renderTable } from '../output.ts';
import { consumerGroups, type PipelineConfig } from '../services.ts';
import { addressesOfFile, keysOfAddresses } from '../suppressions/address.ts';
import { erase, order } from '../suppressions/orders.ts';
import { suppressionsOf } from '../suppressions/topic.ts';
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
    );
  ordered(command);
  onRun<EraseOptions>(
    command,
    eraseAction,
    'erase ann@example.com --why "asked by mail"',
    'erase ann@example.com --why "asked by mail" --yes-change 1',
  );
  command.addHelpText(
    'after',
    '\nIt can be given again, and goes on where it ended. CRMs are not told: a contact there is erased there, once sink-crm has nothing of it any more to write (`status`).',
  );
  return command;
}

export interface EraseOptions extends OrderedOptions {
  readonly yesChange?: number;
}

const LOOK_MS = 500;

export const eraseAction: Action<EraseOptions> = async (options, addresses) => {
  const listed = options.file === undefined ? [] : await addressesOfFile(options.file);
  const recipients = keysOfAddresses([...addresses, ...listed]);
  if (recipients.length === 0) throw usage('name addresses, or a file with --file');
  const config = await loadPipelineConfig(options);
  if (pseudonymsOf(config).length === 0)
    throw usage('erasure.keys: without a key, that they must not be mailed could not be kept');
  const remains = remainsInKafka(config, Date.now());
  if (options.yesChange === undefined) {
    const rows = await inClickHouse(config, (clickhouse) =>
      rowsOfRecipients(clickhouse, config.sinks.clickhouse.database, recipients),
    );
    await tell(options.json, { dryRun: true, recipients, rows, remains });
    return EXIT.ok;
  }
  requireCount(recipients.length, options.yesChange, 'recipient');
  const said = orderOf(options);
  const deadline = AbortSignal.timeout(waitMsOf(options));
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort());
  const signal = AbortSignal.any([deadline, interrupted.signal]);
  const actions = recipients.map((recipient) => erase(recipient, said));
  await forget(options, config, actions, signal);
  const rows = signal.aborted ? undefined : await removeRows(config, recipients, signal);
  if (interrupted.signal.aborted) return EXIT.interrupted;
  if (!rows)
    throw new PipelineError(
      'CLI_SINK_BEHIND',
      'retry',
      'the recipients are being forgotten, and rows of theirs may still be written: give the order again when `events` and sink-clickhouse have caught up',
    );
  await tell(options.json, { dryRun: false, recipients, rows, remains });
  return EXIT.ok;
};

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
    await sinkHasWritten(config, Date.now(), signal);
    if (signal.aborted) return undefined;
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

/** Resolves when the sink has written all that was there at a time, or the signal ends it. */
async function sinkHasWritten(config: PipelineConfig, before: number, signal: AbortSignal): Promise<void> {
  const group = consumerGroups(config).find(({ service }) => service === 'sink-clickhouse');
  if (!group) return;
  while (!signal.aborted) {
    if ((await lagSince(config.kafka, group, before)).length === 0) return;
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}

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

interface Told {
  readonly dryRun: boolean;
  readonly recipients: readonly string[];
  readonly rows: ReadonlyMap<string, number>;
  readonly remains: readonly Remains[];
}

async function tell(json: boolean, { dryRun, recipients, rows, remains }: Told): Promise<void> {
  const until = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  if (json) {
    printJson({
      ...{ dryRun, recipients: recipients.length, rows: Object.fromEntries(rows) },
      remains: remains.map(({ topic, until: at, why }) => ({ topic, until: until(at), why })),
    });
    return;
  }
  const found = [...rows].filter(([, count]) => count > 0);
  const did = dryRun ? 'would be forgotten' : 'forgotten';
  print(pc.bold(`${counted(recipients.length, 'recipient')} ${did}`));
  for (const [table, count] of found)
    print(`${counted(count, 'row')} of ${table} ${dryRun ? 'would go' : 'gone'}`);
  if (found.length === 0) print('no table names them');
  print('\nwhat remains in Kafka:');
  print(
    await renderTable(
      ['topic', 'until', 'why'],
      remains.map(({ topic, until: at, why }) => [topic, until(at)?.slice(0, 16) ?? '–', why]),
    ),
  );
  if (dryRun) print(`\nnothing was done: add --yes-change ${recipients.length}`);
}
