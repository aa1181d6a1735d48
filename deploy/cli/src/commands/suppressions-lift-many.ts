import { recipientKey, type Suppression } from '@email-events/schemas';
import { connect } from '@email-events/sink-clickhouse';
import type { CommonOptions } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, print, printJson, progress } from '../output.ts';
import { lift, retract, retractId, type SaidBySource } from '../suppressions/actions.ts';
import { evidenceOf } from '../suppressions/evidence-rows.ts';
import { type Judgement, judge, placesToRead } from '../suppressions/not-made.ts';
import { readAgain } from '../suppressions/readings.ts';
import { type Concerned, concernedBy } from '../suppressions/said-by-source.ts';
import { requireSinkInStep } from '../suppressions/sink-in-step.ts';
import { readRetracted, readStates, type Suppressions } from '../suppressions/topic.ts';
import { openSuppressions } from './suppressions-action.ts';
import { give, type OrderedOptions, orderOf, rangeOf, requireCount, usage } from './suppressions-order.ts';
import { notMadeJson, renderConcerned, renderNotMade } from './suppressions-render.ts';

export interface LiftOptions extends OrderedOptions {
  readonly reason?: string;
  readonly scope?: string;
  readonly source?: string;
  readonly from?: number;
  readonly to?: number;
  readonly notMadeByMapping: boolean;
  readonly yesChange?: number;
}

/** Takes back what a source said in a time. */
export async function liftOfSource(
  options: LiftOptions & CommonOptions,
  addresses: readonly string[],
  source: string,
): Promise<ExitCode> {
  const { from: since, to, yesChange, json } = options;
  if (addresses.length > 0 || options.file !== undefined) throw usage('either addresses or --source');
  if (options.reason !== undefined || options.scope !== undefined)
    throw usage('--reason and --scope go with addresses: of a source everything is taken back');
  const said = rangeOf(source, since, to);
  const from = await openSuppressions(options);
  const { concerned, already } = await concernedNow(from, said);
  if (yesChange === undefined) {
    const { recipients, ...counts } = concerned;
    if (json)
      printJson({ dryRun: true, recipients: recipients.length, alreadyTakenBack: already, ...counts });
    else print(await renderConcerned(concerned, already));
    return EXIT.ok;
  }
  requireCount(concerned.recipients.length, yesChange, 'recipient');
  const words = orderOf(options);
  return give(
    options,
    from,
    concerned.recipients.map((recipient) => retract(recipient, said, words)),
    { already },
  );
}

/** Lifts what today's mapping would not make. */
export async function liftNotMade(
  options: LiftOptions & CommonOptions,
  addresses: readonly string[],
): Promise<ExitCode> {
  const { from: since, to, yesChange, json, source, reason, scope } = options;
  if (addresses.length > 0 || [options.file, source, reason, scope].some((given) => given !== undefined))
    throw usage('--not-made-by-mapping goes with --from, --to and --yes-change only');
  const from = await openSuppressions(options);
  await requireSinkInStep(from.config, Date.now());
  const judgement = await judgeAll(from, { since, to, quiet: json });
  if (yesChange === undefined) {
    const { notMade, ...counts } = judgement;
    if (json)
      printJson({ dryRun: true, suppressions: notMade.length, ...counts, notMade: notMade.map(notMadeJson) });
    else print(await renderNotMade(judgement));
    return EXIT.ok;
  }
  requireCount(judgement.notMade.length, yesChange, 'suppression');
  const words = orderOf(options);
  const lifts = judgement.notMade.map(({ recipient, reason: active }) =>
    lift(recipient, { reason: active.reason, scope: active.scope }, words),
  );
  return give(options, from, lifts, {});
}

/** Reads what gave the active reasons again, with today's mapping. */
async function judgeAll(
  from: Suppressions,
  {
    since = 0,
    to = Number.POSITIVE_INFINITY,
    quiet,
  }: { since?: number | undefined; to?: number | undefined; quiet: boolean },
): Promise<Judgement> {
  const isMeant = (active: Suppression['reasons'][number]) => active.since >= since && active.since < to;
  const states = await readStates(from, { wanted: ({ reasons }) => reasons.some(isMeant) });
  const active = [...states.values()].flatMap(({ recipient, reasons }) =>
    reasons.filter(isMeant).map((reason) => ({ recipient, reason })),
  );
  const clickhouse = connect(from.config.sinks.clickhouse);
  try {
    const evidence = await evidenceOf(clickhouse, [...states.keys()]);
    const readings = await readAgain({
      config: from.config,
      places: placesToRead(active, evidence),
      signal: new AbortController().signal,
      onProgress: (items) => {
        if (!quiet && items % PROGRESS_EVERY === 0) progress(`${counted(items, 'item')} read again`);
      },
    });
    return judge(active, evidence, readings, ({ recipient }) => recipientKey(recipient));
  } finally {
    await clickhouse.close();
  }
}

const PROGRESS_EVERY = 1_000;

/** Of whom it was taken back before is not asked again. */
async function concernedNow(
  from: Suppressions,
  said: SaidBySource,
): Promise<{ concerned: Concerned; already: number }> {
  await requireSinkInStep(from.config, Date.now());
  const clickhouse = connect(from.config.sinks.clickhouse);
  try {
    const all = await concernedBy(from, clickhouse, said);
    const taken = await readRetracted(from);
    const recipients = all.recipients.filter((recipient) => !taken.has(retractId(recipient, said)));
    return { concerned: { ...all, recipients }, already: all.recipients.length - recipients.length };
  } finally {
    await clickhouse.close();
  }
}
