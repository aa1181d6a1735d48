import { retry } from '../../retry.ts';
import type { Brokers, RequestOptions } from '../client/brokers.ts';
import { codesOfAll } from '../client/offsets.ts';
import { produceAll } from '../client/produce.ts';
import type { OutMessage } from '../client/produce-frame.ts';
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  type TopicPartitions,
  txnOffsetCommit,
} from '../client/requests.ts';
import { AnswerIncomplete, isRetriable } from '../errors.ts';
import type { Api } from '../kafkajs/kafkajs.ts';
import type { LastOffset } from './stage.ts';

export interface TransactionalOptions {
  readonly transactionalId: string;
  /** After so long the broker ends a transaction by itself. Milliseconds. */
  readonly transactionTimeoutMs: number;
  /** Time for one answer of a broker. Milliseconds. */
  readonly requestTimeoutMs: number;
}

/** Records of one partition, in order. */
export interface Output {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly OutMessage[];
}

/** Committed with the records, or not at all. */
export interface GroupPosition {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly note: string | null;
}

/** Long enough for a broker that restarts, short enough to begin anew before the transaction times out. */
const STEP_MS = 25_000;
/** After a commit the coordinator still writes markers for some milliseconds. */
const BACKOFF = { firstMs: 4, longestMs: 500 };

/**
 * A transactional producer that is used until its first failure. After one only the broker knows how the transaction stands, so the
 * caller opens another to go on: that ends the open transaction, and raises the epoch, so that requests that are still under way from
 * before are refused wherever they arrive.
 */
export class TransactionalProducer {
  private readonly brokers: Brokers;
  private readonly options: TransactionalOptions;
  private readonly sequences: Sequences;
  private identity: { transactionalId: string; producerId: string; producerEpoch: number } | undefined;
  private usable = false;

  constructor(brokers: Brokers, options: TransactionalOptions, sequences = new Sequences()) {
    this.brokers = brokers;
    this.options = options;
    this.sequences = sequences;
  }

  /** Fences every other producer of this id, ends the transaction that it may have left, and waits until that has ended. */
  async open(): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.options;
    const query = { transactionalId, transactionTimeout: transactionTimeoutMs };
    const codesOf = ({ errorCode }: { errorCode: number }) => [errorCode];
    const { producerId, producerEpoch } = await this.coordinate(initProducerId, query, codesOf);
    this.identity = { transactionalId, producerId, producerEpoch };
    this.sequences.reset();
    this.usable = true;
  }

  /**
   * Writes all of it and commits it, or throws: then it was not committed, or it is not known. The rounds go one after the other, so
   * that each fits into a request.
   */
  async transact(rounds: readonly (readonly Output[])[], position?: GroupPosition): Promise<LastOffset> {
    if (!this.usable) throw new Error('a transactional producer that has failed is not used again');
    // Until it has ended well, it has not.
    this.usable = false;
    const outputs = rounds.flat();
    const unanswered = { produce: false };
    try {
      if (outputs.length > 0) await this.addPartitions(outputs);
      const sent = this.send(rounds, unanswered);
      const placed = position ? this.sendPosition(position) : undefined;
      // Every request ends before anything else is done, also when one fails.
      const [last, offsets] = await Promise.allSettled([sent, placed]);
      if (last.status === 'rejected') throw last.reason;
      if (offsets.status === 'rejected') throw offsets.reason;
      if (outputs.length > 0 || position) await this.end(true);
      this.usable = true;
      return last.value;
    } catch (error) {
      // A request without an answer may arrive after the abort. Then only a new epoch, which opening brings, ends it for good.
      if (!unanswered.produce) await this.abort();
      throw error;
    }
  }

  private async addPartitions(outputs: readonly Output[]): Promise<void> {
    const topics = partitionsByTopic(outputs);
    await this.brokers.know(topics.map(({ topic }) => topic));
    await this.coordinate(addPartitionsToTxn, { ...this.mine(), topics }, ({ errors }) =>
      codesOfAll(
        topics,
        errors.map(({ topic, partitionErrors }) => ({ topic, partitions: partitionErrors })),
      ),
    );
  }

  private async send(
    rounds: readonly (readonly Output[])[],
    unanswered: { produce: boolean },
  ): Promise<LastOffset> {
    const last = new Map<string, number>();
    for (const round of rounds) {
      const batches = round.map((output) => {
        const { topic, partition, messages } = output;
        return { ...output, firstSequence: this.sequences.take(topic, partition, messages.length) };
      });
      const { requestTimeoutMs } = this.options;
      const outcomes = await produceAll(this.brokers, batches, {
        forMs: STEP_MS,
        requestTimeoutMs,
        identity: this.mine(),
      });
      unanswered.produce ||= outcomes.some((outcome) => 'error' in outcome && isRetriable(outcome.error));
      for (const [i, { topic, partition, messages }] of round.entries()) {
        const outcome = outcomes[i];
        if (!outcome) throw new AnswerIncomplete(`${topic}/${partition}`);
        if ('error' in outcome) throw outcome.error;
        last.set(`${topic}/${partition}`, outcome.baseOffset + messages.length - 1);
      }
    }
    return (topic, partition) => {
      const offset = last.get(`${topic}/${partition}`);
      if (offset === undefined) throw new AnswerIncomplete(`what was written to ${topic}/${partition}`);
      return offset;
    };
  }

  private async sendPosition({ groupId, topic, partition, offset, note }: GroupPosition): Promise<void> {
    await this.coordinate(addOffsetsToTxn, { ...this.mine(), groupId }, ({ errorCode }) => [errorCode]);
    const topics = [{ topic, partitions: [{ partition, offset: String(offset), metadata: note }] }];
    const wanted = [{ topic, partitions: [partition] }];
    const of = { kind: 'group', key: groupId } as const;
    const query = { ...this.mine(), groupId, topics };
    await this.patiently(() =>
      this.brokers.toCoordinator(
        of,
        txnOffsetCommit,
        query,
        (answer) => codesOfAll(wanted, answer.topics),
        this.inTime(),
      ),
    );
  }

  private async end(commit: boolean): Promise<void> {
    const query = { ...this.mine(), transactionResult: commit };
    // Asked again after a lost answer, the coordinator says what it has done: the same request means the same transaction.
    await this.coordinate(endTxn, query, ({ errorCode }) => [errorCode]);
  }

  /** Best effort: the next producer that is opened ends a transaction that is left over. */
  private async abort(): Promise<void> {
    await this.brokers
      .toCoordinator(
        this.own(),
        endTxn,
        { ...this.mine(), transactionResult: false },
        ({ errorCode }) => [errorCode],
        this.inTime(),
      )
      .catch(() => {});
  }

  /** Asks the transaction's coordinator, or the one that took over, until it has done it. */
  private coordinate<Q, A>(
    request: { readonly key: number; readonly api: Api<Q, A> },
    query: Q,
    codesOf: (answer: A) => Iterable<number>,
  ): Promise<A> {
    return this.patiently(() =>
      this.brokers.toCoordinator(this.own(), request, query, codesOf, this.inTime()),
    );
  }

  private patiently<T>(work: () => Promise<T>): Promise<T> {
    return retry(work, { forMs: STEP_MS, backoff: BACKOFF, retryIf: isRetriable });
  }

  private inTime(): RequestOptions {
    return { timeoutMs: this.options.requestTimeoutMs };
  }

  private own() {
    return { kind: 'transaction', key: this.options.transactionalId } as const;
  }

  private mine() {
    if (!this.identity) throw new Error('a transactional producer is opened before it is used');
    return this.identity;
  }
}

function partitionsByTopic(outputs: readonly Output[]): TopicPartitions<number>[] {
  const topics = new Map<string, Set<number>>();
  for (const { topic, partition } of outputs) {
    const partitions = topics.get(topic) ?? new Set();
    topics.set(topic, partitions.add(partition));
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions: [...partitions] }));
}

/** The broker counts modulo this. */
const SEQUENCES = 2 ** 31;

/**
 * Numbers of the records of an idempotent producer, by partition. A number that was given away is never taken back: only the broker
 * knows what became of a record that was sent, and a second record of its number would be taken for its repetition.
 */
export class Sequences {
  private readonly next = new Map<string, number>();
  private readonly start: number;

  /** @param start where a partition begins; another than 0 is for tests of what comes near the end */
  constructor(start = 0) {
    this.start = start;
  }

  /** The number of the first of so many records. */
  take(topic: string, partition: number, records: number): number {
    const of = `${topic}/${partition}`;
    const first = this.next.get(of) ?? this.start;
    this.next.set(of, after(first, records));
    return first;
  }

  /** With a new epoch all begin anew. */
  reset(): void {
    this.next.clear();
  }
}

/** The number that follows so many records from this one on. */
export const after = (first: number, records: number): number => (first + records) % SEQUENCES;
