import { codeOf, PipelineError, sinkGroup } from '@email-events/core';
import {
  type CrmAdapter,
  CrmError,
  configuredCrms,
  type EraseResult,
  type ErasingFacts,
  plannedErasure,
} from '@email-events/sink-crm';
import { usage } from '../changes.ts';
import { patiently } from '../crm/listing.ts';
import { openCrm } from '../crm/run.ts';
import type { PipelineConfig } from '../services.ts';
import { hasWritten } from './caught-up.ts';

/** What became of the recipients at one CRM. */
export interface CrmErasure {
  readonly consumer: string;
  readonly kind: string;
  /** By outcome; `left`: it was not asked of them, or could not answer. */
  readonly recipients: { readonly [R in EraseResult | 'left']: number };
  /** `suppression`: it is a list of who must not be mailed, so nothing was asked of it. Null: it has no such call, or none that the adapter makes. */
  readonly afterwards: ErasingFacts['after'] | 'suppression' | null;
  /** Why some are left; null: none is, or there is no such call. */
  readonly problem: { readonly code: string; readonly text: string } | null;
}

/** The calls that would be made at one CRM, and why they cannot be told. */
export interface CrmPlan extends Pick<CrmErasure, 'consumer' | 'kind' | 'afterwards' | 'problem'> {
  readonly calls: readonly { readonly method: string; readonly url: string; readonly body?: string }[];
}

export type CrmTarget = ReturnType<typeof openCrm>;

/** Every CRM that is configured, each to be closed. Throws ConfigError, CLI_USAGE before anything was asked of one. */
export function openCrms(config: PipelineConfig, callsPerSecond: number | undefined): readonly CrmTarget[] {
  const opened: CrmTarget[] = [];
  const pace = callsPerSecond === undefined ? {} : { callsPerSecond };
  if (configuredCrms(config).length === 0) throw usage('--crm: no CRM is configured');
  try {
    for (const { name } of configuredCrms(config))
      opened.push(openCrm(config, name === undefined ? pace : { ...pace, crm: name }));
    return opened;
  } catch (error) {
    void closeAll(opened);
    throw error;
  }
}

export async function closeAll(targets: readonly CrmTarget[]): Promise<void> {
  await Promise.all(targets.map(({ adapter }) => adapter.close()));
}

export interface Erasing {
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Erases at all CRMs at once: one that is behind, down or refuses holds back no other. Never throws. */
export const eraseAtCrms = (
  config: PipelineConfig,
  targets: readonly CrmTarget[],
  recipients: readonly string[],
  erasing: Erasing,
): Promise<CrmErasure[]> =>
  byAccount(targets, async ({ crm: { consumer, settings }, definition, adapter }) => {
    const { name: kind, facts } = definition;
    const of = { consumer, kind, afterwards: afterwardsOf(facts) };
    if (facts.erasing && settings.dryRun) return { ...of, recipients: noneOf(recipients), problem: DRY_RUN };
    const needs = [...(facts.scopes ?? []), ...(facts.erasing?.scopes ?? [])];
    // What its sink has still to write would make the contact anew.
    const group = sinkGroup(config.kafka.groupPrefix, consumer);
    const ready = () => hasWritten(config, { service: 'sink-crm', group }, Date.now(), erasing.signal);
    return { ...of, ...(await eraseAt(adapter, needs, recipients, ready, erasing)) };
  });

/** In the order of the targets. Those of one account have one limit, so they go one after the other. */
async function byAccount<T>(
  targets: readonly CrmTarget[],
  work: (target: CrmTarget) => Promise<T>,
): Promise<T[]> {
  const last = new Map<string, Promise<T>>();
  const all = targets.map((target) => {
    const before = last.get(target.account);
    const mine = before ? before.then(() => work(target)) : work(target);
    last.set(target.account, mine);
    return mine;
  });
  return Promise.all(all);
}

const afterwardsOf = ({
  erasing,
  isSuppressionList,
}: CrmTarget['definition']['facts']): CrmErasure['afterwards'] =>
  erasing?.after ?? (isSuppressionList ? 'suppression' : null);

const noneOf = ({ length: left }: readonly string[]) => ({ erased: 0, absent: 0, underWay: 0, left });

type Outcome = Pick<CrmErasure, 'recipients' | 'problem'>;

/** At one CRM. `ready`: its sink has nothing of them to write any more; false if the signal came first. Never throws. */
export async function eraseAt(
  adapter: Pick<CrmAdapter, 'erase'>,
  needs: readonly string[],
  recipients: readonly string[],
  ready: () => Promise<boolean>,
  { signal, say }: Erasing,
): Promise<Outcome> {
  const counts = noneOf(recipients);
  const { erase } = adapter;
  if (!erase) return { recipients: counts, problem: null };
  let problem: Outcome['problem'] = null;
  const onWait = (code: string, ms: number) => say(`${code}: goes on in ${Math.ceil(ms / 1_000)} s`);
  try {
    if (!(await ready())) return { recipients: counts, problem: BEHIND };
    let failedBefore = false;
    for (const recipient of recipients) {
      try {
        const result = await patiently(() => erase(recipient, signal), { signal, onWait });
        counts[result] += 1;
        counts.left -= 1;
        failedBefore = false;
      } catch (error) {
        if (signal.aborted) throw error;
        problem ??= problemOf(error, needs);
        if (error instanceof CrmError && error.failure === 'rejected') continue;
        // It may be this one alone, whose call something on the way refuses; a second one in a row says that it is the CRM.
        if (failedBefore) throw error;
        failedBefore = true;
      }
    }
  } catch (error) {
    problem = signal.aborted ? LATE : (problem ?? problemOf(error, needs));
  }
  return { recipients: counts, problem };
}

/** Says the calls by which one recipient after the other would be erased. Never throws. */
export const planAtCrms = (
  targets: readonly CrmTarget[],
  recipients: readonly string[],
  { signal }: Pick<Erasing, 'signal'>,
): Promise<CrmPlan[]> =>
  byAccount(targets, async ({ crm: { consumer, settings }, definition, pace }) => {
    const { name: kind, facts } = definition;
    const of = { consumer, kind, afterwards: afterwardsOf(facts) };
    const calls: CrmPlan['calls'][number][] = [];
    if (facts.erasing && settings.dryRun) return { ...of, calls, problem: DRY_RUN };
    try {
      for (const recipient of facts.erasing ? recipients : []) {
        const planned = await plannedErasure(definition, settings, recipient, { pace, signal });
        for (const { body, ...call } of planned) calls.push({ ...call, ...(body !== undefined && { body }) });
      }
      return { ...of, calls, problem: null };
    } catch (error) {
      return { ...of, calls, problem: signal.aborted ? LATE : problemOf(error, facts.scopes ?? []) };
    }
  });

const AGAIN = 'give the order again';
const BEHIND = {
  code: 'CLI_SINK_BEHIND',
  text: `sink-crm has still states to write to it, which could make the contact anew: ${AGAIN} when it has caught up (status)`,
};
const DRY_RUN = { code: 'CLI_DRY_RUN', text: 'its settings say dryRun: nothing is sent to it' };
const LATE = {
  code: 'CLI_UNAVAILABLE',
  text: `it did not come to all of them in time: ${AGAIN}, with a longer --wait`,
};

function problemOf(error: unknown, needs: readonly string[]): { code: string; text: string } {
  const code = codeOf(error);
  const message = error instanceof PipelineError ? error.message : 'it failed in an unforeseen way';
  const lacks = code === 'SINK_CRM_UNAUTHORIZED' && needs.length > 0 ? ` (needs ${needs.join(', ')})` : '';
  return { code, text: `${message}${lacks}` };
}
