import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, groupLag, sinkGroup, TransactionalWriter } from '@email-events/core';
import { tryLock } from '@email-events/core/process-lock';
import { topics } from '@email-events/schemas';
import {
  accountOf,
  type CrmAdapter,
  configuredCrms,
  crmOf,
  MAILED_AT_A_TIME,
  paceBeside,
  paceOf,
  SharedPace,
} from '@email-events/sink-crm';
import pc from 'picocolors';
import { requireCount, usage } from '../changes.ts';
import type { CommonOptions } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { homeFolder, pathsOf } from '../home.ts';
import { counted, note, progress } from '../output.ts';
import type { PipelineConfig } from '../services.ts';
import { readState } from '../state-file.ts';
import { superseded } from '../suppressions/newer.ts';
import { suppressionsOf } from '../suppressions/topic.ts';
import { listAll, patiently } from './listing.ts';
import type { ReconcileOptions } from './options.ts';
import { ListingProgress } from './progress.ts';
import {
  type Comparison,
  compare,
  isBlast,
  ListedContacts,
  repairs,
  type StateRecord,
  withLetters,
} from './reconcile.ts';
import { type Found, report } from './report.ts';
import { bringUpstream, upstreamOf } from './upstream.ts';

/** Records of a transaction. */
const AT_A_TIME = 500;

/** Compares, puts back what is missing, and brings opt-outs back. Throws CrmError, KAFKA_UNREACHABLE, CLI_CHANGE_DIFFERS, CLI_INGRESS_REFUSED. */
export async function reconcile(
  config: PipelineConfig,
  { consumer, account }: { readonly consumer: string; readonly account: string },
  adapter: Pick<CrmAdapter, 'suppressed' | 'mailed'>,
  options: ReconcileOptions & Pick<CommonOptions, 'json'>,
): Promise<ExitCode> {
  const { json, dryRun, yesChange, upstream } = options;
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const { signal } = abort;
  if (!adapter.suppressed)
    throw usage(`${consumer}: this kind of CRM lists nothing, so nothing can be compared`);
  const to =
    upstream === undefined ? undefined : upstreamOf(config, upstream, ingressOf(options.ingress, upstream));
  const file = options.progress ?? join(homeFolder(), 'crm', `${consumer}.ndjson`);
  const lock = tryLock(`${file}.lock`);
  if (!lock) throw usage(`another run reconciles ${consumer}`);
  const say = (text: string) => json || progress(text);
  try {
    const found = await look(config, { consumer, account, adapter, file, fresh: options.fresh, signal, say });
    const changes = found.missing.length + (to ? found.optOuts.length : 0);
    if (yesChange !== undefined) requireCount(changes, yesChange, 'suppression');
    const stopped = !dryRun && yesChange === undefined && isBlast(changes, found.suppressed);
    const idle = dryRun || stopped;
    const due = idle ? [] : await stillDue(config, found.missing, signal);
    const putBack = await putBackAll(config, consumer, due, signal);
    const onSent = (events: number) => say(`${counted(events, 'opt-out')} brought back`);
    const broughtBack =
      idle || !to ? 0 : await bringUpstream(to, consumer, found.optOuts, { signal, onSent });
    await report(options, consumer, found, { putBack, broughtBack, stopped, changes });
    if (signal.aborted) return EXIT.interrupted;
    if (!idle) rmSync(file, { force: true });
    return !dryRun && (stopped || putBack < due.length) ? EXIT.failed : EXIT.ok;
  } catch (error) {
    if (!signal.aborted) throw error;
    note(pc.dim('what was listed is kept: the next run goes on'));
    return EXIT.interrupted;
  } finally {
    lock.release();
  }
}

interface Look {
  readonly consumer: string;
  readonly account: string;
  readonly adapter: Pick<CrmAdapter, 'suppressed' | 'mailed'>;
  readonly file: string;
  readonly fresh: boolean;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

async function look(
  config: PipelineConfig,
  { consumer, account, adapter, file, fresh, signal, say }: Look,
): Promise<Found> {
  const group = sinkGroup(config.kafka.groupPrefix, consumer);
  const lags = await groupLag(config.kafka, [{ group, topics: [topics.suppressions] }]);
  const committed = lags.map(({ partition, committed: at }) => [partition, String(at ?? 0n)] as const);
  const listed = new ListedContacts();
  const listing = await ListingProgress.open(
    file,
    { consumer, account, startedAt: Date.now(), committed },
    { fresh, take: (contact, at) => listed.add(contact, at) },
  );
  if (listing.resumed > 0) say(`goes on after ${counted(listed.count, 'contact')} of an earlier run`);
  const onWait = (code: string, ms: number) => say(`${code}: goes on in ${Math.ceil(ms / 1_000)} s`);
  const patience = { signal, onWait };
  await listAll(adapter, listing, patience, () => say(`${counted(listed.count, 'contact')} read`));
  const from = suppressionsOf(config);
  const found = await compare({
    ...{ from, listed, signal },
    committed: new Map(listing.start.committed.map(([partition, offset]) => [partition, BigInt(offset)])),
    onRead: (records) => say(`${counted(records, 'record')} read`),
  });
  const { missing: due, refused } = await withLetters(from, consumer, found.missing, signal);
  const compared = { ...found, missing: due, refused: refused.map(({ recipient }) => recipient) };
  const { mailed } = adapter;
  if (!mailed) return { ...compared, unknown: 0 };
  const missing: StateRecord[] = [];
  for (let at = 0; at < compared.missing.length; at += MAILED_AT_A_TIME) {
    const some = compared.missing.slice(at, at + MAILED_AT_A_TIME);
    const asked = some.map(({ recipient }) => recipient);
    const still = new Set(await patiently(() => mailed(asked, signal), patience));
    missing.push(...some.filter(({ recipient }) => still.has(recipient)));
    say(`${counted(at + some.length, 'recipient')} looked up`);
  }
  return { ...compared, missing, unknown: compared.missing.length - missing.length };
}

/** Of the ingress. Throws CLI_USAGE if none is given and none runs here. */
function ingressOf(given: string | undefined, source: string): string {
  if (given !== undefined) return given;
  const webhook = readState(pathsOf(homeFolder()))?.urls?.webhooks[source];
  if (webhook === undefined)
    throw usage('--upstream needs --ingress: no pipeline runs here that has that source');
  return webhook.slice(0, webhook.indexOf('/webhooks/'));
}

/** The CRM that is named, and its adapter, which must be closed. Throws CLI_USAGE, ConfigError. */
export function openCrm(
  config: PipelineConfig,
  { crm: name, callsPerSecond }: Pick<ReconcileOptions, 'crm' | 'callsPerSecond'>,
) {
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
  const limit = paceOf(definition.facts.pace, settings.callsPerSecond);
  const own = callsPerSecond === undefined ? undefined : paceOf(limit, callsPerSecond);
  const pace = own ? new SharedPace({ published: own, now: Date.now }) : limit && paceBeside(limit);
  if (limit && !pace)
    throw usage('the sink makes all calls of so low a limit: say with --calls-per-second how many it leaves');
  const account = accountOf(definition, settings).slice(0, 16);
  return { crm, definition, account, pace, adapter: definition.connect(settings, Date.now, pace) };
}

/** Looking them up takes long at a CRM's pace: who was lifted or erased meanwhile is not told of once more. */
async function stillDue(
  { kafka }: PipelineConfig,
  missing: Comparison['missing'],
  signal: AbortSignal,
): Promise<Comparison['missing']> {
  const states = missing.map((record) => ({ ...record, key: record.recipient, record }));
  const overtaken = await superseded(kafka, states, signal);
  return states.flatMap((state) => (overtaken.has(state) ? [] : [state.record]));
}

/** Returns how many were put back: each part is all or nothing, and what a stop leaves is missing still the next time. */
async function putBackAll(
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
