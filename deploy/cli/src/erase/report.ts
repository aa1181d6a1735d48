import pc from 'picocolors';
import { counted, renderTable } from '../output.ts';
import { visible } from '../terminal.ts';
import type { CrmErasure, CrmPlan } from './crms.ts';
import type { Remains } from './remains.ts';
import { erasureLines, planLines } from './render.ts';

/** What `erase` did, or would do. */
export interface ErasureReport {
  readonly dryRun: boolean;
  readonly recipients: readonly string[];
  /** Null: they were not removed, or not all of them. */
  readonly rows: ReadonlyMap<string, number> | null;
  readonly remains: readonly Remains[];
  /** What was done at CRMs, or would be. */
  readonly crms: readonly CrmErasure[];
  readonly plans: readonly CrmPlan[];
}

const until = ({ until: at }: Remains) => (at === null ? null : new Date(at).toISOString());

/** For programs. Names no recipient. */
export function erasureJson({ dryRun, recipients, rows, remains, crms, plans }: ErasureReport): unknown {
  return {
    ...{ dryRun, recipients: recipients.length, rows: rows && Object.fromEntries(rows) },
    crms: dryRun ? plans : crms,
    remains: remains.map((what) => ({ topic: what.topic, until: until(what), why: what.why })),
  };
}

/** For people. Names no recipient, but for the calls at CRMs that are planned. */
export async function erasureText(report: ErasureReport): Promise<string> {
  const { dryRun, recipients, rows, remains, crms, plans } = report;
  const found = [...(rows ?? [])].filter(([, count]) => count > 0);
  const did = dryRun ? 'would be forgotten' : rows ? 'forgotten' : 'not forgotten yet';
  const none = rows ? 'no table names them' : 'their rows were not removed';
  return [
    pc.bold(`${counted(recipients.length, 'recipient')} ${did}`),
    ...found.map(([table, count]) => `${counted(count, 'row')} of ${table} ${dryRun ? 'would go' : 'gone'}`),
    ...(found.length === 0 ? [none] : []),
    ...[...crms.flatMap(erasureLines), ...plans.flatMap(planLines)].map((line) => visible(line)),
    '\nwhat remains in Kafka, once topics have the retention of the configuration (`topics apply`):',
    await renderTable(
      ['topic', 'until', 'why'],
      remains.map((what) => [what.topic, until(what)?.slice(0, 16) ?? '–', what.why]),
    ),
    ...(dryRun ? [`\nnothing was done: add --yes-change ${recipients.length}`] : []),
  ].join('\n');
}
