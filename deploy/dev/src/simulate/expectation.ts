import type { Step } from '@email-events/esps/accounts/kit/speech';
import type { PlannedRequest } from './plan.ts';
import { senderOf } from './sender.ts';

/** The figures that the pipeline must show for the requests that it acknowledged. `received = emitted + duplicates + deadLettered`. */
export interface Expectation {
  readonly received: number;
  /** Distinct events. */
  readonly emitted: number;
  readonly duplicates: number;
  readonly deadLettered: number;
  /** Distinct events by ESP and type. */
  readonly events: { readonly [esp: string]: { readonly [type: string]: number } };
  readonly deadLetters: { readonly [code: string]: number };
  readonly suppressions: SuppressionExpectation;
  /** As far as the ESPs name campaigns and variants. */
  readonly campaigns: readonly CampaignCounts[];
}

/** Kinds of events that are counted by campaign. machineOpened: of the opens, those that the ESP says a machine did. */
export const CAMPAIGN_FIGURES = [
  'queued',
  'delivered',
  'bounced',
  'opened',
  'machineOpened',
  'clicked',
  'complained',
  'unsubscribed',
] as const;
type CampaignFigure = (typeof CAMPAIGN_FIGURES)[number];

/** Distinct events of a campaign's variant, whichever ESP sent it. */
export interface CampaignCounts extends Readonly<Record<CampaignFigure, number>> {
  readonly campaign: string;
  /** Null: the campaign has none, or the ESP does not name it. */
  readonly variant: string | null;
}

/** Adds up what was acknowledged; requests may come in any order and more than once. */
export class Ledger {
  readonly #seen = new Set<number>();
  readonly #events: { [esp: string]: { [type: string]: number } } = {};
  readonly #deadLetters: { [code: string]: number } = {};
  readonly #suppressions = new SuppressionLedger();
  readonly #campaigns = new Map<string, Counts>();
  #received = 0;
  #emitted = 0;
  #deadLettered = 0;

  /** Distinct events so far. */
  get emitted(): number {
    return this.#emitted;
  }

  /** A request that was answered 200. */
  acknowledged({ steps, expected }: PlannedRequest): void {
    for (const code of expected.deadLetters) {
      this.#received++;
      this.#deadLettered++;
      this.#deadLetters[code] = (this.#deadLetters[code] ?? 0) + 1;
    }
    for (const step of steps) {
      this.#received += step.message.addressees.length;
      if (this.#seen.has(step.id)) continue;
      this.#seen.add(step.id);
      this.#distinct(step);
    }
  }

  result(): Expectation {
    return {
      received: this.#received,
      emitted: this.#emitted,
      duplicates: this.#received - this.#emitted - this.#deadLettered,
      deadLettered: this.#deadLettered,
      events: this.#events,
      deadLetters: this.#deadLetters,
      suppressions: this.#suppressions.result(),
      campaigns: [...this.#campaigns.values()].sort(byName),
    };
  }

  #distinct(step: Step): void {
    const { esp, addressees } = step.message;
    const names = senderOf(esp).names(step);
    const count = addressees.length;
    this.#emitted += count;
    const types = this.#events[esp] ?? {};
    this.#events[esp] = types;
    types[step.type] = (types[step.type] ?? 0) + count;
    this.#suppressions.add(step, names.scope);
    if (names.campaign === undefined) return;
    const counts = this.#countsOf(names.campaign, names.variant ?? null);
    if (isCounted(step.type)) counts[step.type] += count;
    if (step.type === 'opened' && names.machine) counts.machineOpened += count;
  }

  #countsOf(campaign: string, variant: string | null): Counts {
    const key = JSON.stringify([campaign, variant]);
    const counts = this.#campaigns.get(key) ?? {
      ...{ campaign, variant, queued: 0, delivered: 0, bounced: 0, opened: 0, machineOpened: 0 },
      ...{ clicked: 0, complained: 0, unsubscribed: 0 },
    };
    this.#campaigns.set(key, counts);
    return counts;
  }
}

type Counts = { -readonly [name in keyof CampaignCounts]: CampaignCounts[name] };

const isCounted = (type: Step['type']): type is Step['type'] & CampaignFigure =>
  (CAMPAIGN_FIGURES as readonly string[]).includes(type);

const byName = (a: Counts, b: Counts) =>
  a.campaign.localeCompare(b.campaign) || (a.variant ?? '').localeCompare(b.variant ?? '');

/** Who must be suppressed in the end, and why. */
export interface SuppressionExpectation {
  /** Recipients with at least one active reason, by recipient key. */
  readonly recipients: { readonly [recipient: string]: ExpectedSuppression };
  /** Of these, those to whom nothing may be sent. */
  readonly suppressed: number;
  /** Active reasons over all recipients. */
  readonly byReason: { readonly [reason: string]: number };
}

export interface ExpectedSuppression {
  /** An active reason has scope all. */
  readonly suppressed: boolean;
  /** `reason` or `reason:scope` (unless all), sorted. */
  readonly reasons: readonly string[];
}

const STREAK = 5;
const STREAK_WINDOW_MS = 30 * 86_400_000;

/**
 * The rules again, applied to everything at once instead of event by event: an independent judge of the pipeline.
 * Only what can matter is kept of each recipient.
 */
export class SuppressionLedger {
  readonly #histories = new Map<string, History>();

  /** Every distinct event once, in any order. */
  add(step: Step, scope: string | undefined): void {
    if (!RELEVANT.has(step.type)) return;
    for (const { recipient } of step.message.addressees) {
      const history = this.#histories.get(recipient.key) ?? {
        ...{ hardBounce: false, complaint: false, accounts: new Map() },
      };
      this.#histories.set(recipient.key, history);
      record(history, step, scope ?? 'all');
    }
  }

  result(): SuppressionExpectation {
    const recipients: { [recipient: string]: ExpectedSuppression } = {};
    const byReason: { [reason: string]: number } = {};
    let suppressed = 0;
    for (const [recipient, history] of this.#histories) {
      const active = reasonsOf(history);
      if (active.length === 0) continue;
      const all = active.some(({ scope }) => scope === 'all');
      if (all) suppressed++;
      for (const { reason } of active) byReason[reason] = (byReason[reason] ?? 0) + 1;
      const reasons = active
        .map(({ reason, scope }) => (scope === 'all' ? reason : `${reason}:${scope}`))
        .sort();
      recipients[recipient] = { suppressed: all, reasons };
    }
    return { recipients, suppressed, byReason };
  }
}

const RELEVANT: ReadonlySet<Step['type']> = new Set([
  'delivered',
  'bounced',
  'complained',
  'unsubscribed',
  'subscribed',
]);

interface History {
  hardBounce: boolean;
  complaint: boolean;
  /** By ESP, since each is a separate account: an event of one lifts no suppression by another. */
  readonly accounts: Map<string, AccountHistory>;
}

interface AccountHistory {
  deliveredAt: number;
  readonly softBounces: number[];
  /** Latest times, by scope. */
  readonly left: Map<string, number>;
  readonly joined: Map<string, number>;
}

const NEVER = Number.NEGATIVE_INFINITY;

const newAccount = (): AccountHistory => ({
  ...{ deliveredAt: NEVER, softBounces: [], left: new Map(), joined: new Map() },
});

function record(history: History, step: Step, scope: string): void {
  const account = history.accounts.get(step.message.esp) ?? newAccount();
  history.accounts.set(step.message.esp, account);
  const later = (times: Map<string, number>) =>
    times.set(scope, Math.max(times.get(scope) ?? NEVER, step.at));
  if (step.type === 'delivered') account.deliveredAt = Math.max(account.deliveredAt, step.at);
  else if (step.type === 'complained') history.complaint = true;
  else if (step.type === 'unsubscribed') later(account.left);
  else if (step.type === 'subscribed') later(account.joined);
  else if (step.detail.failure?.bounceClass === 'hard') history.hardBounce = true;
  else account.softBounces.push(step.at);
}

function reasonsOf(history: History): { readonly reason: string; readonly scope: string }[] {
  const reasons: { reason: string; scope: string }[] = [];
  if (history.hardBounce) reasons.push({ reason: 'hard_bounce', scope: 'all' });
  if (history.complaint) reasons.push({ reason: 'complaint', scope: 'all' });
  if (hasStreak(history)) reasons.push({ reason: 'soft_bounces', scope: 'all' });
  const accounts = [...history.accounts.values()];
  const left = accounts.flatMap((account) =>
    [...account.left].filter(([scope, at]) => (account.joined.get(scope) ?? NEVER) <= at),
  );
  const scopes = new Set(left.map(([scope]) => scope));
  return [...reasons, ...[...scopes].map((scope) => ({ reason: 'unsubscribe', scope }))];
}

/** Soft bounces of all accounts count together, each until its own account delivers. */
function hasStreak({ accounts }: History): boolean {
  const since = [...accounts.values()]
    .flatMap(({ softBounces, deliveredAt }) => softBounces.filter((at) => at > deliveredAt))
    .sort((a, b) => a - b);
  return since.some((at, index) => {
    const end = since[index + STREAK - 1];
    return end !== undefined && end - at <= STREAK_WINDOW_MS;
  });
}
