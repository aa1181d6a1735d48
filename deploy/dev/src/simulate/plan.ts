import TinyQueue from 'tinyqueue';
import { SIMULATED_ESPS, type SimulatedEsp } from './credentials.ts';
import type { Step } from './lifecycle.ts';
import { createMailing } from './mailing.ts';
import type { PlannedRequest } from './planned-request.ts';
import { createRandom, type Random } from './random.ts';
import { type Arrival, RequestWriter } from './request-writer.ts';
import type { Entry } from './senders/sender.ts';

export interface PlanOptions {
  readonly seed: number;
  /** Distinct events; a few more if the last one names several recipients. */
  readonly events: number;
  readonly esps?: readonly SimulatedEsp[] | undefined;
  /** Epoch milliseconds: the end of the simulated time. */
  readonly startTime: number;
  /** Lower-case letters and digits. Starts every message id and is metadata `run`. */
  readonly runId: string;
  /** Events told a second time, as a share of the events: half in repeated requests, half in other requests. */
  readonly duplicates?: number | undefined;
  /** Requests with something wrong, as a share of the requests. */
  readonly invalid?: number | undefined;
  /** Length of the simulated time. */
  readonly hours?: number | undefined;
}

/** What will be sent, in order. Reading it again gives the same requests. Nothing is signed yet. */
export interface Plan {
  readonly options: Required<{ [name in keyof PlanOptions]: NonNullable<PlanOptions[name]> }>;
  requests(): Iterable<PlannedRequest>;
}

const DEFAULTS = { esps: SIMULATED_ESPS, duplicates: 0.05, invalid: 0.01, hours: 6 };

/** Pure: the same options give the same requests. Throws RangeError for a run id that could not start a message id. */
export function createPlan(options: PlanOptions): Plan {
  const { esps, duplicates, invalid, hours } = DEFAULTS;
  const complete = {
    ...options,
    esps: options.esps ?? esps,
    duplicates: options.duplicates ?? duplicates,
    invalid: options.invalid ?? invalid,
    hours: options.hours ?? hours,
  };
  if (!/^[a-z0-9]{1,20}$/.test(complete.runId))
    throw new RangeError('a run id is 1 to 20 lower-case letters and digits');
  if (complete.esps.length === 0) throw new RangeError('a plan needs an ESP');
  return { options: complete, requests: () => planRequests(complete) };
}

function* planRequests(options: Plan['options']): Generator<PlannedRequest> {
  const random = createRandom(options.seed);
  const mailing = createMailing({ ...options, spanMs: options.hours * 3_600_000 }, random.fork(1));
  const arrivals = new TinyQueue<Arrival>([], (a, b) => a.at - b.at || a.order - b.order);
  const writer = new RequestWriter(options, mailing, random.fork(2));
  const chaos = random.fork(3);
  let order = 0;
  const arrive = (at: number, what: { entry: Entry } | { repeat: PlannedRequest }) =>
    arrivals.push({ at, order: order++, ...what });

  for (;;) {
    while (
      mailing.nextAt !== undefined &&
      mailing.nextAt <= (arrivals.peek()?.at ?? Number.POSITIVE_INFINITY)
    ) {
      for (const step of mailing.next()) arrive(step.at + delay(chaos), { entry: { step, again: false } });
    }
    const arrival = arrivals.pop();
    const written = arrival === undefined ? writer.flush() : writer.take(arrival);
    if (arrival === undefined && written.length === 0) return;
    for (const request of written) {
      yield request;
      if (request.repeatedLater) arrive(writer.now + chaos.int(20, 900) * 1000, { repeat: request });
    }
    if (
      arrival &&
      'entry' in arrival &&
      !arrival.entry.again &&
      chaos.chance(retold(arrival.entry.step, options))
    ) {
      arrive(arrival.at + chaos.int(5, 900) * 1000, { entry: { ...arrival.entry, again: true } });
    }
  }
}

/**
 * Share of the steps that come again in another request. SES and Postmark are often set up to tell of bounces and
 * complaints twice, in two formats: too rare among all events to be met by chance.
 */
function retold({ type, message }: Step, { duplicates }: Plan['options']): number {
  const inTwoFormats = message.esp === 'ses' || message.esp === 'postmark';
  const failed = type === 'bounced' || type === 'complained';
  return duplicates > 0 && inTwoFormats && failed ? Math.max(0.4, duplicates / 2) : duplicates / 2;
}

/** ESPs report within seconds, but now and then half an hour late: after what happened later. */
function delay(random: Random): number {
  return random.chance(0.05) ? random.int(30, 1800) * 1000 : random.int(1, 20) * 1000;
}
