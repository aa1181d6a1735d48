import {
  type Answer,
  createPlan,
  type OutgoingRequest,
  type Plan,
  type PlannedRequest,
  type SenderCredentials,
  type SimulationResult,
  senderOf,
  sendRequests,
  signedRequests,
  type WireRequest,
} from '@email-events/dev/simulate';

export interface HonestOptions {
  readonly baseUrl: string;
  readonly credentials: SenderCredentials;
  readonly esps: readonly string[];
  readonly seed: number;
  readonly requestsPerSecond: number;
  /** Of all ids and addresses. */
  readonly runId: string;
  /** More distinct events than will be sent. */
  readonly events: number;
}

/** The senders' own records of the honest accounts, in the end. */
export interface HonestSent {
  readonly result: SimulationResult;
  /** When each request with events left, by the X-Request-Id of its 200. Epoch milliseconds. */
  readonly sentAt: ReadonlyMap<string, number>;
  /** X-Request-Ids of the 200s to requests that said nothing new. */
  readonly repeated: ReadonlySet<string>;
  /** From the sending to the answer, of every attempt. Milliseconds. */
  readonly answers: readonly number[];
  /** Attempts by status. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly campaigns: ReadonlyMap<string, CampaignCounts>;
}

/** The counts that the report of a campaign must show for one source: by `source campaign variant`. */
export interface CampaignCounts {
  /** Distinct recipients. */
  readonly complained: Set<string>;
  readonly unsubscribed: Set<string>;
  readonly clickers: Set<string>;
  /** Distinct events. */
  clicks: number;
}

/** Steps of the plan that attackers may know beforehand. */
const KNOWN_REQUESTS = 400;

/** The simulator's ESPs, none of whose requests is bad: mail of the accounts that are to notice nothing. */
export class Honest {
  readonly #options: HonestOptions;
  readonly #plan: Plan;
  readonly #ahead: Iterator<PlannedRequest>;
  readonly #heard = new Map<string, WireRequest>();
  readonly #victims: readonly string[];

  constructor(options: HonestOptions) {
    this.#options = options;
    const { esps, seed, runId, events } = options;
    // So that every mailing of the day has begun, and none is older than a week.
    this.#plan = createPlan({ seed, esps, runId, events, invalid: 0, startTime: Date.now() });
    this.#ahead = this.#plan.requests()[Symbol.iterator]();
    this.#victims = addressesIn(this.#plan.requests());
  }

  /** The next request, before anybody sent it. */
  ahead(): PlannedRequest | undefined {
    const next = this.#ahead.next();
    return next.done ? undefined : next.value;
  }

  victim(number: number): string {
    return this.#victims[number % this.#victims.length] ?? '';
  }

  /** The last request of this ESP that was answered with 200. */
  overheard(esp: string): WireRequest | undefined {
    return this.#heard.get(esp);
  }

  /** Sends until it is enough, and comes again on "later" as ESPs do. */
  async send(enough: AbortSignal, signal: AbortSignal): Promise<HonestSent> {
    const { baseUrl, credentials, requestsPerSecond } = this.#options;
    const sent = new Sent(this.#heard);
    const requests = signedRequests(this.#plan, { credentials, now: Date.now });
    const result = await sendRequests(this.#plan, sent.watch(requests), {
      ...{ baseUrl, credentials, requestsPerSecond, signal, enough, attempts: 1_000, concurrency: 64 },
      onAnswer: (answer) => sent.answered(answer),
      onAttempt: ({ status, tookMs }) => sent.attempted(status, tookMs),
    });
    const { sentAt, repeated, answers, statuses, campaigns } = sent;
    return { result, sentAt, repeated, answers, statuses, campaigns };
  }
}

class Sent {
  readonly sentAt = new Map<string, number>();
  readonly repeated = new Set<string>();
  readonly answers: number[] = [];
  readonly statuses = new Map<number, number>();
  readonly campaigns = new Map<string, CampaignCounts>();
  readonly #heard: Map<string, WireRequest>;
  readonly #wires = new Map<number, WireRequest>();
  readonly #steps = new Set<number>();

  constructor(heard: Map<string, WireRequest>) {
    this.#heard = heard;
  }

  *watch(requests: Iterable<OutgoingRequest>): Generator<OutgoingRequest> {
    for (const request of requests) {
      this.#wires.set(request.planned.index, request.wire);
      yield request;
    }
  }

  attempted(status: number, tookMs: number): void {
    this.answers.push(tookMs);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }

  answered({ planned, status, requestId, sentAt }: Answer): void {
    const wire = this.#wires.get(planned.index);
    this.#wires.delete(planned.index);
    if (status !== 200) return;
    if (wire) this.#heard.set(planned.esp, wire);
    const isNew = planned.steps.some(({ id }) => !this.#steps.has(id));
    if (requestId !== null && isNew) this.sentAt.set(requestId, sentAt);
    if (requestId !== null && !isNew) this.repeated.add(requestId);
    this.#count(planned);
  }

  /** Every distinct event once. */
  #count({ esp, steps }: PlannedRequest): void {
    for (const step of steps) {
      if (this.#steps.has(step.id)) continue;
      this.#steps.add(step.id);
      const { campaign, variant, machine } = senderOf(esp).names(step);
      if (campaign === undefined) continue;
      const counts = this.#countsOf(`${esp} ${campaign} ${variant ?? ''}`);
      const recipients = step.message.addressees.map(({ recipient }) => recipient.key);
      if (step.type === 'complained') for (const key of recipients) counts.complained.add(key);
      if (step.type === 'unsubscribed') for (const key of recipients) counts.unsubscribed.add(key);
      if (step.type !== 'clicked' || machine) continue;
      for (const key of recipients) counts.clickers.add(key);
      counts.clicks += recipients.length;
    }
  }

  #countsOf(key: string): CampaignCounts {
    const counts = this.campaigns.get(key) ?? {
      ...{ complained: new Set<string>(), unsubscribed: new Set<string>(), clickers: new Set<string>() },
      clicks: 0,
    };
    this.campaigns.set(key, counts);
    return counts;
  }
}

function addressesIn(requests: Iterable<PlannedRequest>): string[] {
  const addresses = new Set<string>();
  let taken = 0;
  for (const { steps } of requests) {
    if (taken++ >= KNOWN_REQUESTS) break;
    for (const { message } of steps) for (const { address } of message.addressees) addresses.add(address);
  }
  return [...addresses];
}
