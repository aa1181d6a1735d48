import type { Step } from './lifecycle.ts';
import type { PlannedRequest } from './planned-request.ts';
import { senders } from './senders/index.ts';
import { type SuppressionExpectation, SuppressionLedger } from './suppressions.ts';

/** What must be found in the pipeline of what it acknowledged. `received = emitted + duplicates + deadLettered`. */
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
  readonly campaigns: readonly CampaignExpectation[];
}

/** Distinct events of a campaign's variant, whichever ESP sent it. */
export interface CampaignExpectation {
  readonly campaign: string;
  /** Null: the campaign has none, or the ESP does not name it. */
  readonly variant: string | null;
  readonly queued: number;
  readonly delivered: number;
  readonly bounced: number;
  readonly opened: number;
  /** Of the opens, those that the ESP says a machine did. */
  readonly machineOpened: number;
  readonly clicked: number;
  readonly complained: number;
  readonly unsubscribed: number;
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
    const names = senders[esp].names(step);
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

type Counts = { -readonly [name in keyof CampaignExpectation]: CampaignExpectation[name] };

const COUNTED = [
  'queued',
  'delivered',
  'bounced',
  'opened',
  'clicked',
  'complained',
  'unsubscribed',
] as const;
const isCounted = (type: Step['type']): type is (typeof COUNTED)[number] =>
  (COUNTED as readonly string[]).includes(type);

const byName = (a: Counts, b: Counts) =>
  a.campaign.localeCompare(b.campaign) || (a.variant ?? '').localeCompare(b.variant ?? '');
