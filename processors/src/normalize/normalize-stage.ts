import {
  decodeRawHeaders,
  encodeRawHeaders,
  type InputRecord,
  type OwnedPartition,
  PipelineError,
  type RawRequest,
  type Spans,
  type Stage,
  type Step,
  type Traces,
  traceOf,
  type Unforeseen,
  type UnforeseenFailure,
} from '@email-events/core';
import { type Budget, DEFAULT_BUDGET } from '@email-events/esps';
import type { DeadLetterReport } from '../dead-letters.ts';
import { Counts } from './counts.ts';
import type { CountedStage } from './measures.ts';
import {
  Breath,
  Failures,
  type Normalized,
  type NormalizeOptions,
  normalizeRecord,
} from './normalize-record.ts';
import { Tokens, type TokensOptions, type TokenTransaction } from './tokens.ts';
import { Transaction, type Writing } from './transaction.ts';

/** Settings, codecs and metrics that all partitions share. */
export interface NormalizeContext
  extends Writing,
    Pick<NormalizeOptions, 'readingOf' | 'accountOf' | 'mayHaveFormerIds' | 'timeBounds'> {
  /** The stages that are open now, for the metrics. */
  readonly openStages: Set<CountedStage>;
  readonly deadLetters: DeadLetterReport;
  readonly clock: () => number;
  /** Default: DEFAULT_BUDGET. */
  readonly budget?: Budget | undefined;
  readonly tokens: TokensOptions;
  /** Default: none. */
  readonly traces?: Traces | undefined;
  /** Bytes of output after which a transaction takes no further request. */
  readonly maxTransactionBytes?: number;
}

const MAX_TRANSACTION_BYTES = 16_777_216;

/** Split, normalize, and put the events where their recipient's partition is, in batches. Its only state: tokens that are good for one body, and counts. */
export class NormalizeStage implements Stage, CountedStage {
  partition = 0;
  counts = Counts.of(null, 0);
  private readonly context: NormalizeContext;
  private readonly breath = new Breath();
  private readonly tokens: Tokens;

  constructor(context: NormalizeContext) {
    this.context = context;
    this.tokens = new Tokens(context.tokens);
  }

  async open(owned: OwnedPartition): Promise<void> {
    this.partition = owned.partition;
    await this.tokens.restore(owned);
    // From its first record on, everything is counted, whenever that was.
    this.counts = Counts.of(owned.note, owned.position === 0 ? 0 : this.context.clock());
    this.context.openStages.add(this);
  }

  async process(records: readonly InputRecord[]): Promise<Step> {
    const { readingOf, accountOf, mayHaveFormerIds, budget, timeBounds, clock } = this.context;
    const { maxTransactionBytes = MAX_TRANSACTION_BYTES } = this.context;
    const options = { readingOf, accountOf, mayHaveFormerIds, budget, timeBounds, breath: this.breath };
    const spans = joinRecords(this.context.traces, records);
    const transaction = new Transaction(this.context, clock(), spans);
    const tokens = this.tokens.begin();
    const unforeseen: Unforeseen[] = [];
    let taken = 0;
    for (const record of records) {
      if (this.breath.isDue) await this.breath.take();
      const isReplayed = tokens.isReplayed(record, requestOf(record));
      const normalized = isReplayed
        ? this.refused(record, 'NORMALIZE_TOKEN_REPLAYED', 'its token came with another body before')
        : await normalizeRecord(record, options);
      transaction.add(record, normalized);
      if (normalized.unforeseen)
        unforeseen.push({ offset: record.offset, sources: [senderOf(normalized.request)] });
      taken++;
      if (transaction.bytes >= maxTransactionBytes) break;
    }
    return this.step(transaction, unforeseen, taken, tokens, spans);
  }

  async setAside(record: InputRecord, { error, attempts }: UnforeseenFailure): Promise<Step> {
    const transaction = new Transaction(this.context, this.context.clock());
    // The message of a foreign error may quote the payload, so only its kind is told.
    const kind = error instanceof Error ? error.name : typeof error;
    const message = `the work on it fails with ${kind}`;
    const refused = this.refused(record, 'NORMALIZE_RECORD_FAILED', message, attempts);
    transaction.add(record, refused);
    return this.step(transaction, [{ offset: record.offset, sources: [senderOf(refused.request)] }], 1);
  }

  checkItself(): Promise<void> {
    return checkNormalize(this.context);
  }

  async close(): Promise<void> {
    this.context.openStages.delete(this);
  }

  private refused(record: InputRecord, code: string, message: string, attempts?: number): Normalized {
    const request = requestOf(record);
    const failures = new Failures(this.context.budget ?? DEFAULT_BUDGET, record, request);
    failures.ofAll(code, message, attempts);
    return { request, events: [], bytes: 0, ...failures.result };
  }

  private step(
    transaction: Transaction,
    unforeseen: readonly Unforeseen[],
    taken: number,
    tokens?: TokenTransaction,
    spans?: Spans,
  ): Step {
    const outputs = [...transaction.outputs(), ...(tokens?.outputs(this.partition) ?? [])];
    // After the outputs are made: some of what was read may fit no record.
    const counts = this.counts.plus(transaction.counts);
    const committed = () => {
      tokens?.committed();
      this.counts = counts;
      this.context.deadLetters.written(transaction.letters);
      spans?.end({ 'messaging.batch.message_count': taken, 'email_events.partition': this.partition });
    };
    return { outputs, unforeseen, taken, note: counts.note(), committed };
  }
}

/** Only those that are in the transaction end, since of the others nothing is handed on. */
const joinRecords = (traces: Traces | undefined, records: readonly InputRecord[]): Spans | undefined =>
  traces?.join(
    'normalize',
    records.flatMap((record) => traceOf(record) ?? []),
  );

/** An account with webhooks at several ESPs is one sender still: what it alone makes fail is not ours. */
const senderOf = (request: RawRequest | undefined): string => request?.account ?? request?.source ?? '';

/** Of a record on which anything may fail. */
function requestOf({ headers }: InputRecord): ReturnType<typeof decodeRawHeaders> {
  try {
    return decodeRawHeaders(headers);
  } catch {
    return undefined;
  }
}

const AT = Date.UTC(2026, 0, 1);
const TYPES = ['delivered', 'opened', 'bounced', 'unsubscribed', 'other'];

/** A request that is good beyond doubt. It is never written. */
const CANARY: InputRecord = {
  topic: 'email.raw',
  partition: 0,
  offset: 0,
  key: null,
  value: Buffer.from(
    JSON.stringify(
      TYPES.map((type, i) => ({
        ...{ id: `canary-${i}`, type, occurred_at: AT, recipient: `canary${i}@example.com` },
        ...{ subject: 'Ünïcode', tags: ['canary'], metadata: { of: 'the service itself' } },
      })),
    ),
  ),
  headers: encodeRawHeaders({
    ...{ requestId: 'canary', source: 'canary', esp: 'standard-webhooks', receivedAt: AT, method: 'POST' },
    ...{ url: '/', contentType: 'application/json', remoteAddress: null, headers: {} },
  }),
  timestamp: AT,
};

/** The same work on a good request. Throws if it does not come to the events that it always comes to. */
async function checkNormalize(writing: Writing): Promise<void> {
  const transaction = new Transaction(writing, AT);
  transaction.add(CANARY, await normalizeRecord(CANARY));
  const outputs = transaction.outputs();
  if (outputs.length === 0 || transaction.letters.length > 0 || eventsOf(transaction) !== TYPES.length)
    throw new PipelineError('NORMALIZE_RECORD_FAILED', 'deadletter', 'a good request does not come out');
}

const eventsOf = ({ counts }: Transaction) =>
  [...counts.values()].reduce((sum, { normalized }) => sum + normalized, 0);
