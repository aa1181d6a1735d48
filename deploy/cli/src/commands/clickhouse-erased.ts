import { connect, eraseRecipients, rowsOfRecipients } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import { requireCount, usage } from '../changes.ts';
import { type Action, loadPipelineConfig, onRun } from '../command.ts';
import { erasedInRows } from '../erase/again.ts';
import { EXIT } from '../exit-codes.ts';
import { fromZero } from '../option-values.ts';
import { counted, print, printJson } from '../output.ts';
import { requireSinkInStep } from '../suppressions/evidence.ts';
import { visible } from '../terminal.ts';

export interface ErasedOptions {
  readonly yesChange?: number;
}

export function erasedCommand(): Command {
  const command = new Command('erased')
    .description(
      'Find rows of recipients who are erased, as after a restored backup, and remove them: by the hashes that are kept',
    )
    .option('--yes-change <n>', 'remove them, for just so many recipients as it was said', fromZero);
  onRun<ErasedOptions>(command, erasedAction, 'clickhouse erased', 'clickhouse erased --yes-change 3');
  command.addHelpText(
    'after',
    '\nDead letters that hold an address in their bytes are found by the address only: `erase` it again. Who was mailed again since is known again, and left alone.',
  );
  return command;
}

const SHOWN = 20;

export const erasedAction: Action<ErasedOptions> = async ({ yesChange, ...options }) => {
  const config = await loadPipelineConfig(options);
  if (config.erasure.keys.length === 0)
    throw usage('erasure.keys: without the keys nobody knows who is erased');
  const { database } = config.sinks.clickhouse;
  // What the sink has still to write would be there afterwards.
  if (yesChange !== undefined) await requireSinkInStep(config, Date.now());
  const clickhouse = connect(config.sinks.clickhouse);
  try {
    const recipients = await erasedInRows(config, clickhouse);
    if (yesChange !== undefined) requireCount(recipients.length, yesChange, 'recipient');
    const rows =
      yesChange === undefined
        ? await rowsOfRecipients(clickhouse, database, recipients)
        : await eraseRecipients(clickhouse, config.sinks.clickhouse, recipients);
    const dryRun = yesChange === undefined;
    if (options.json) printJson({ dryRun, recipients, rows: Object.fromEntries(rows) });
    else print(told(dryRun, recipients, rows));
  } finally {
    await clickhouse.close();
  }
  return EXIT.ok;
};

function told(dryRun: boolean, recipients: readonly string[], rows: ReadonlyMap<string, number>): string {
  if (recipients.length === 0) return 'no row is of who is erased';
  const more = recipients.length > SHOWN ? [`and ${recipients.length - SHOWN} more`] : [];
  const of = [...rows].filter(([, count]) => count > 0);
  return [
    `${counted(recipients.length, 'recipient')} of rows erased:`,
    ...recipients.slice(0, SHOWN).map((recipient) => `  ${visible(recipient)}`),
    ...more,
    ...of.map(([table, count]) => `${counted(count, 'row')} of ${table} ${dryRun ? 'would go' : 'gone'}`),
    ...(dryRun ? [`nothing was done: add --yes-change ${recipients.length}`] : []),
  ].join('\n');
}
