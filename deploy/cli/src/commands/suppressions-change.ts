import { userInfo } from 'node:os';
import { isPseudonym, keyedId, pseudonymsOf } from '@email-events/core';
import { type OperatorAction, recipientKey, type Suppression } from '@email-events/schemas';
import { connect } from '@email-events/sink-clickhouse';
import type { Command } from 'commander';
import pc from 'picocolors';
import { requireCount, usage } from '../changes.ts';
import { type Action, type CommonOptions, loadPipelineConfig } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { nameText, reasonText, seconds } from '../option-values.ts';
import { counted, formatCount, note, print, printJson, progress } from '../output.ts';
import { addressesOfFile, keysOfAddresses } from '../suppressions/address.ts';
import { type Concerned, concernedBy, evidenceOf, requireSinkInStep } from '../suppressions/evidence.ts';
import { isSuppressed } from '../suppressions/import.ts';
import { type Judgement, judge, placesToRead, readAgain } from '../suppressions/not-made.ts';
import {
  lift,
  type Order,
  order,
  retract,
  retractId,
  type SaidBySource,
  suppress,
} from '../suppressions/orders.ts';
import { readRetracted, readStates, type Suppressions, suppressionsOf } from '../suppressions/topic.ts';
import { visible } from '../terminal.ts';
import { notMadeJson, renderConcerned, renderNotMade, renderOrdered } from './suppressions-render.ts';

export interface AddOptions extends OrderedOptions {
  readonly scope: string;
}

export interface LiftOptions extends OrderedOptions {
  readonly reason?: string;
  readonly scope?: string;
  readonly source?: string;
  readonly from?: number;
  readonly to?: number;
  readonly notMadeByMapping: boolean;
  readonly yesChange?: number;
}

export const addAction: Action<AddOptions> = async (options, addresses) => {
  const named = await recipientsOf(options, addresses);
  const said = orderOf(options);
  const from = suppressionsOf(await loadPipelineConfig(options));
  const erased = await erasedAlready(from, named, options.scope);
  if (!options.json && erased.size > 0)
    note(
      pc.yellow(
        `${counted(erased.size, 'recipient')} already not mailable: erased, and suppressed by the hash`,
      ),
    );
  return changeRecipients(
    options,
    named.filter((recipient) => !erased.has(recipient)),
    (recipient) => suppress(recipient, options.scope, said),
    'nothing was known of',
    (state) => state !== undefined,
    { erased: erased.size },
  );
};

/** Those who were erased and must not be mailed already: what is ordered of them would be kept under the hash, and change nothing. */
async function erasedAlready(
  from: Suppressions,
  recipients: readonly string[],
  scope: string,
): Promise<ReadonlySet<string>> {
  const keys = pseudonymsOf(from.config);
  if (keys.length === 0) return new Set();
  const standsFor = new Map(
    recipients.flatMap((recipient) => keys.map((by) => [by(recipient), recipient] as const)),
  );
  const states = await readStates(from, {
    recipients: new Set([...recipients, ...standsFor.keys()]),
    wanted: (state) => !isPseudonym(state.recipient) || isSuppressed(state, scope),
  });
  const erased = [...standsFor].filter(([key, recipient]) => states.has(key) && !states.has(recipient));
  return new Set(erased.map(([, recipient]) => recipient));
}

export const liftAction: Action<LiftOptions> = async (options, addresses) => {
  const { source, reason = null, scope = null } = options;
  if (options.notMadeByMapping) return liftNotMade(options, addresses);
  if (source !== undefined) return liftOfSource(options, addresses, source);
  if (options.from !== undefined || options.to !== undefined || options.yesChange !== undefined)
    throw usage('--from, --to and --yes-change go with --source or --not-made-by-mapping');
  const recipients = await recipientsOf(options, addresses);
  const said = orderOf(options);
  const isMeant = (active: Suppression['reasons'][number]) =>
    (reason === null || active.reason === reason) && (scope === null || active.scope === scope);
  return changeRecipients(
    options,
    recipients,
    (recipient) => lift(recipient, { reason, scope }, said),
    'nothing of that is suppressed of',
    (state) => state?.reasons.some(isMeant) ?? false,
  );
};

const SHOWN_UNKNOWN = 20;

/** Those of whom nothing is known are named, and ordered about all the same: what says otherwise may be on its way. */
async function changeRecipients(
  options: OrderedOptions & CommonOptions,
  recipients: readonly string[],
  actionOf: (recipient: string) => OperatorAction,
  unknownText: string,
  isKnown: (state: Suppression | undefined) => boolean,
  about: { readonly erased?: number } = {},
): Promise<ExitCode> {
  const from = suppressionsOf(await loadPipelineConfig(options));
  const states = await readStates(from, { recipients: new Set(recipients) });
  const unknown = recipients.filter((recipient) => !isKnown(states.get(recipient)));
  if (!options.json && unknown.length > 0) {
    const shown = unknown.slice(0, SHOWN_UNKNOWN).join(', ');
    const more =
      unknown.length > SHOWN_UNKNOWN ? ` and ${formatCount(unknown.length - SHOWN_UNKNOWN)} more` : '';
    note(pc.yellow(visible(`${unknownText} ${shown}${more}`)));
  }
  return give(options, from, recipients.map(actionOf), { unknown, ...about });
}

async function recipientsOf({ file }: OrderedOptions, addresses: readonly string[]): Promise<string[]> {
  const listed = file === undefined ? [] : await addressesOfFile(file);
  const all = keysOfAddresses([...addresses, ...listed]);
  if (all.length === 0) throw usage('name addresses, or a file with --file');
  return all;
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
  const from = suppressionsOf(await loadPipelineConfig(options));
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
  const from = suppressionsOf(await loadPipelineConfig(options));
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
    const evidence = await evidenceOf(clickhouse, states, from.config);
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
    // Of one that was erased it was told under a keyed id.
    const keys = pseudonymsOf(from.config);
    const isTaken = (id: string) => taken.has(id) || keys.some((by) => taken.has(keyedId(id, by)));
    const recipients = all.recipients.filter((recipient) => !isTaken(retractId(recipient, said)));
    return { concerned: { ...all, recipients }, already: all.recipients.length - recipients.length };
  } finally {
    await clickhouse.close();
  }
}

export interface OrderedOptions {
  readonly why: string;
  readonly by?: string;
  /** Seconds; false: not at all. */
  readonly wait: number | boolean;
  readonly file?: string;
}

/** Writes the orders, waits for them as wished, and says what came of them. */
export async function give(
  options: OrderedOptions & CommonOptions,
  from: Suppressions,
  actions: readonly OperatorAction[],
  about: { readonly unknown?: readonly string[]; readonly already?: number; readonly erased?: number },
): Promise<ExitCode> {
  const { json, wait } = options;
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const waited = wait !== false;
  const result = await order({
    ...from,
    actions,
    waitMs: waited ? Number(wait) * 1_000 : 0,
    signal: abort.signal,
    onProgress: ({ ordered, changed, unchanged }) => {
      if (!json) progress(`${formatCount(changed + unchanged)} of ${counted(ordered, 'order')} taken`);
    },
  });
  const pending = result.ordered - result.changed - result.unchanged;
  if (json) printJson({ dryRun: false, ...result, pending, ...about });
  else print(renderOrdered(result, actions.length, { waited, already: about.already ?? 0 }));
  if (abort.signal.aborted) return EXIT.interrupted;
  return waited && pending > 0 ? EXIT.failed : EXIT.ok;
}

/** The options that say who orders, why, and how long is waited. */
export function ordered(command: Command): void {
  command
    .requiredOption('--why <text>', 'why; kept with the recipient', reasonText)
    .option('--by <name>', 'who says so (default: the user of the system)', nameText)
    .option('--wait <seconds>', 'how long to wait until it has come into force', seconds, 60)
    .option('--no-wait', 'do not wait until it has come into force');
}

export function orderOf({ by, why }: Pick<OrderedOptions, 'by' | 'why'>): Order {
  return { by: by ?? systemUser(), at: Date.now(), why };
}

/** In a container a user may have a number only. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Epoch milliseconds. Throws CLI_USAGE. */
export function rangeOf(source: string, from: number | undefined, to: number | undefined): SaidBySource {
  if (from === undefined || to === undefined) throw usage('--source needs --from and --to');
  if (from >= to) throw usage('--from must be before --to');
  return { source, from, to };
}
