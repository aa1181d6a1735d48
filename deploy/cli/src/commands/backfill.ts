import { registryOf, TransactionalWriter } from '@email-events/core';
import { Codec } from '@email-events/schemas';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { Command } from 'commander';
import pc from 'picocolors';
import { type BackfillResult, backfill } from '../backfill/backfill.ts';
import { Retyping } from '../backfill/retyping.ts';
import { type Action, examples, loadPipelineConfig, onRun } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { collectNames, time } from '../option-values.ts';
import { counted, formatCount, print, printJson, progress, renderTable } from '../output.ts';
import type { PipelineConfig } from '../services.ts';
import { orderOf } from './suppressions-change.ts';

export function backfillCommand(): Command {
  const command = new Command('backfill')
    .description('Read requests again after a mapping was changed; events that never came out come out now')
    .requiredOption(
      '--from <time>',
      'requests that reached Kafka then or later: 2026-01-31, 2026-01-31T08:00Z, 36h',
      time,
    )
    .option('--to <time>', 'before then (default: now)', time)
    .option('--esp <name>', 'only of these ESPs: with commas, or repeated', collectNames)
    .option('--source <name>', 'only of these webhooks', collectNames)
    .option(
      '--retype',
      'events that are another type today come out in place of those that came out, which do not count any more',
      false,
    )
    .option('--dry-run', 'say what would come out, change nothing', false);
  onRun<BackfillActionOptions>(command, backfillAction);
  command.addHelpText(
    'after',
    '\nWhat came out before is asked of ClickHouse and never comes out again. It can be interrupted and run again.',
  );
  return examples(
    command,
    'backfill --from 7d --esp postmark --dry-run',
    'backfill --from 2026-01-01 --to 2026-01-08 --esp postmark',
  );
}

export interface BackfillActionOptions {
  readonly from: number;
  readonly to?: number;
  readonly esp?: readonly string[];
  readonly source?: readonly string[];
  readonly dryRun: boolean;
  readonly retype: boolean;
}

const PROGRESS_MS = 2_000;

export const backfillAction: Action<BackfillActionOptions> = async (options) => {
  const { from, to, esp: esps, source: sources, dryRun, retype, json } = options;
  const config = await loadPipelineConfig(options);
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const clickhouse = connect(config.sinks.clickhouse);
  // Another run that was at it is over once this is open, and what it put back is read.
  const writer = dryRun ? undefined : await TransactionalWriter.open(config.kafka, 'backfill');
  try {
    const result = await backfill({
      config,
      letters: { kafka: config.kafka, codec: new Codec(registryOf(config)) },
      clickhouse,
      writer,
      retyping: retype && !dryRun ? await retyping(config, clickhouse) : undefined,
      ...{ from, to, esps, sources },
      now: Date.now(),
      signal: abort.signal,
      onProgress: json ? () => {} : nowAndThen(),
    });
    if (json) printJson({ dryRun, complete: !abort.signal.aborted, ...timesAsText(result) });
    else print(await render(result, dryRun, retype));
    return abort.signal.aborted ? EXIT.interrupted : EXIT.ok;
  } finally {
    await Promise.all([clickhouse.close(), writer?.close()]);
  }
};

function retyping(config: PipelineConfig, clickhouse: ClickHouse): Promise<Retyping> {
  const why = 'backfill --retype: read as another type today';
  const order = orderOf({ why });
  return Retyping.begin({ marks: { config, codec: new Codec(registryOf(config)) }, clickhouse, order });
}

function nowAndThen(): (result: BackfillResult) => void {
  let shownAt = performance.now();
  return ({ requests, reached, republished }) => {
    if (performance.now() - shownAt < PROGRESS_MS) return;
    shownAt = performance.now();
    const counts = `${counted(requests, 'request')} read, ${formatCount(republished)} with new events`;
    progress(`${counts}; at ${iso(reached) ?? ''}`);
  };
}

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString());

function timesAsText(result: BackfillResult) {
  return { ...result, reached: iso(result.reached), oldestKnown: iso(result.oldestKnown) };
}

export async function renderDifferences({
  differences,
  examples,
}: Pick<BackfillResult, 'differences' | 'examples'>): Promise<string> {
  const rows = Object.entries(differences).sort(([, a], [, b]) => b - a);
  const shown = examples
    .slice(0, EXAMPLES_SHOWN)
    .flatMap(({ event_id, fields }) =>
      fields.map(({ name, before, now }): [string, string, string, string] => [
        event_id,
        name,
        shortened(before),
        shortened(now),
      ]),
    );
  return [
    await renderTable(['read differently in', 'events'], rows),
    ...(rows.length > 1 ? [pc.dim('an event that differs in several is counted in each line')] : []),
    '',
    await renderTable(['event', 'field', 'came out as', 'is read today as'], shown),
    ...(examples.length > EXAMPLES_SHOWN ? [pc.dim('--json tells more of them')] : []),
  ].join('\n');
}

const EXAMPLES_SHOWN = 10;
const shortened = (text: string) => (text.length > 40 ? `${text.slice(0, 39).toWellFormed()}…` : text);

async function render(result: BackfillResult, dryRun: boolean, retype: boolean): Promise<string> {
  const { newEvents, known, different, letters, discarded, failingNow, requests, republished, oldestKnown } =
    result;
  const total = Object.values(newEvents).reduce((sum, count) => sum + count, 0);
  const rows: [string, number, string][] = [
    ...Object.entries(newEvents).map(([type, count]): [string, number, string] => [
      `new: ${type}`,
      count,
      '',
    ]),
    ['known', known, 'came out before; left as they are'],
    ...(dryRun
      ? [
          ['different', different, 'of these, read differently today; left as they are'] as [
            string,
            number,
            string,
          ],
        ]
      : []),
    ...Object.entries(result.retyped).map(([what, count]): [string, number, string] => [
      what,
      count,
      retype ? 'in place of what came out' : '`--retype` puts them in place of what came out',
    ]),
    ['dead letters, readable', letters.readable, '`dlq replay` brings them in'],
    ['dead letters, failing', letters.failing, 'cannot be read today either'],
    ['discarded', discarded, 'an operator said no'],
    [
      'older than is kept',
      result.olderThanKept,
      'whether they came out nobody knows any more; left as they are',
    ],
    ['failing now', failingNow, 'were read once and cannot be now: look at the mapping'],
  ];
  const shown = rows.filter(([name, count]) => count > 0 || name === 'known');
  const does = dryRun
    ? { one: 'would come out; nothing was changed', several: 'would come out; nothing was changed' }
    : { one: 'comes out now', several: 'come out now' };
  const summary = `${counted(total, 'new event')} of ${counted(republished, 'request')} ${total === 1 ? does.one : does.several}`;
  return [
    `${counted(requests, 'request')} read`,
    oldestKnown === null
      ? 'ClickHouse holds no event'
      : `ClickHouse holds events that were received since ${iso(oldestKnown)}; what came out before counts as new`,
    '',
    await renderTable(['events', 'count', ''], shown),
    '',
    ...(different > 0 ? [await renderDifferences(result), ''] : []),
    total > 0 && !dryRun ? pc.green(summary) : summary,
  ].join('\n');
}
