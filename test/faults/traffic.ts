import {
  type Answer,
  createPlan,
  type OutgoingRequest,
  type Progress,
  type SenderCredentials,
  type SimulationResult,
  sendRequests,
  signedRequests,
  type WireRequest,
} from '@email-events/dev/simulate';
import { findAdapter, normalizeRequest, toEmailEvent } from '@email-events/esps';
import { type AnswerFigures, Answers } from './answers.ts';

export interface TrafficOptions {
  readonly baseUrl: string;
  readonly credentials: SenderCredentials;
  readonly seed: number;
  readonly events: number;
  /** The ESPs that send; without, as many as the simulator plays by itself. */
  readonly esps?: readonly string[] | undefined;
  /** Events a second. */
  readonly rate: number;
  /** Nothing is harmed for so long. Milliseconds. */
  readonly calmMs?: number | undefined;
  readonly signal: AbortSignal;
  /** No further requests are begun; what is under way is delivered. */
  readonly enough: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface Sent {
  readonly result: SimulationResult;
  /** Ids of the events in requests that were answered 200. */
  readonly acknowledged: ReadonlySet<string>;
  /** Ids of events in requests that were sent and never answered 200: they may be there, or not. */
  readonly uncertain: ReadonlySet<string>;
  /** X-Request-Id of every 200 to a request with events. */
  readonly requestIds: ReadonlySet<string>;
  /** Requests that were not answered as they must be in the end. */
  readonly unexpected: readonly Answer[];
  readonly answers: AnswerFigures;
}

/** ESPs come again for hours. */
const ATTEMPTS = 10_000;
/** Senders do not wait for each other: while answers take two seconds, as before a request is spooled, others still come. */
const CONCURRENCY = 192;

/** Sends a plan as ESPs would, and keeps which events they were told are safe. */
export async function sendTraffic(options: TrafficOptions): Promise<Sent> {
  const { credentials, events, esps, seed, rate, calmMs, baseUrl, signal, enough, onProgress } = options;
  const runId = `f${Date.now().toString(36)}`;
  const plan = createPlan({ seed, events, esps, startTime: Date.now(), runId });
  const under = new UnderWay();
  const answers = new Answers(calmMs);
  const requests = signedRequests(plan, { credentials, now: Date.now });
  const result = await sendRequests(plan, under.watch(requests), {
    ...{ baseUrl, credentials, rate, signal, enough, onProgress },
    ...{ attempts: ATTEMPTS, concurrency: CONCURRENCY },
    onAnswer: (answer) => under.answered(answer),
    onAttempt: (attempt) => answers.add(attempt),
  });
  return { result, ...under, answers: answers.figures() };
}

/** Requests on their way, and what became of them. */
class UnderWay {
  readonly acknowledged = new Set<string>();
  readonly uncertain = new Set<string>();
  readonly requestIds = new Set<string>();
  readonly unexpected: Answer[] = [];
  readonly #wires = new Map<number, WireRequest>();

  *watch(requests: Iterable<OutgoingRequest>): Generator<OutgoingRequest> {
    for (const request of requests) {
      this.#wires.set(request.planned.index, request.wire);
      yield request;
    }
  }

  answered(answer: Answer): void {
    const { planned, status, requestId, sentAt } = answer;
    const wire = this.#wires.get(planned.index);
    this.#wires.delete(planned.index);
    if (status !== planned.expected.status) this.unexpected.push(answer);
    if (!wire || planned.expected.status !== 200) return;
    const ids = planned.steps.length === 0 ? [] : eventIdsOf(planned.esp, wire, sentAt);
    if (status !== 200) {
      for (const id of ids) this.uncertain.add(id);
      return;
    }
    if (requestId !== null) this.requestIds.add(requestId);
    for (const id of ids) this.acknowledged.add(id);
  }
}

/** The ids that the pipeline must give to what this request says: an id depends on nothing but the request. */
function eventIdsOf(
  esp: string,
  { method, path: url, headers, body }: WireRequest,
  receivedAt: number,
): string[] {
  const adapter = findAdapter(esp);
  if (!adapter) throw new Error(`there is no adapter ${esp}`);
  const { results } = normalizeRequest(adapter, { method, url, headers, body, receivedAt });
  const origin = {
    ...{ esp, source: esp, request_id: '', received_at: receivedAt },
    ...{ raw_partition: 0, raw_offset: 0, item_index: 0 },
  };
  return results.flatMap((result) =>
    'events' in result ? result.events.map((event) => toEmailEvent(event, origin).event_id) : [],
  );
}
