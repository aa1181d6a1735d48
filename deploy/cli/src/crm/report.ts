import pc from 'picocolors';
import type { CommonOptions } from '../command.ts';
import { note, print, printJson, renderTable } from '../output.ts';
import { visible } from '../terminal.ts';
import type { ReconcileOptions } from './options.ts';
import type { Comparison } from './reconcile.ts';

/** A comparison, in which unknown recipients are those of whom the CRM makes nothing: they are no loss, and done with. */
export type Found = Comparison & {
  readonly unknown: number;
  /** Missing, and a dead letter of this CRM: `dlq` has why. */
  readonly refused: readonly string[];
};

export interface Done {
  readonly putBack: number;
  readonly broughtBack: number;
  readonly stopped: boolean;
  readonly changes: number;
}

export async function report(
  { json, dryRun, max, upstream }: ReconcileOptions & Pick<CommonOptions, 'json'>,
  consumer: string,
  { listed, suppressed, missing, pending, unknown, refused, optOuts, lifted, erased }: Found,
  { putBack, broughtBack, stopped, changes }: Done,
): Promise<void> {
  const counts = {
    ...{ listed, suppressed, missing: missing.length, pending, unknown, refused: refused.length },
    ...{ optOuts: optOuts.length, lifted: lifted.length, erased, putBack, broughtBack },
  };
  const shown = {
    missing: missing.slice(0, max).map(({ recipient }) => recipient),
    refused: refused.slice(0, max),
    optOuts: optOuts.slice(0, max).map(({ recipient }) => recipient),
    lifted: lifted.slice(0, max),
  };
  if (json) return printJson({ consumer, dryRun, stopped, changes, ...counts, shown });
  const rows = Object.entries(counts).map(([name, count]) => [LABELS[name as keyof typeof LABELS], count]);
  print(await renderTable(['', 'recipients'], rows));
  for (const recipient of shown.missing) print(visible(`missing ${recipient}`));
  for (const recipient of shown.refused) print(visible(`refused there ${recipient}`));
  for (const recipient of shown.optOuts) print(visible(`opted out there ${recipient}`));
  for (const recipient of shown.lifted) print(visible(`lifted here only ${recipient}`));
  if (optOuts.length > 0 && upstream === undefined)
    note(pc.dim('opt-outs that were made there stay there: --upstream brings them back'));
  if (stopped) note(pc.red(`nothing was changed: for so many, say --yes-change ${changes}`));
}

const LABELS = {
  listed: 'listed by the CRM',
  suppressed: 'suppressed here',
  missing: 'missing there',
  pending: 'still to be written there',
  unknown: 'unknown there, and not made',
  refused: 'refused there, see dlq',
  optOuts: 'opted out there',
  lifted: 'lifted here only',
  erased: 'forgotten here',
  putBack: 'put back',
  broughtBack: 'brought back here',
} as const;
