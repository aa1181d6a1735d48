import { setImmediate as turn } from 'node:timers/promises';
import {
  codeOf,
  followTopic,
  type InputRecord,
  isPseudonym,
  type Logger,
  PipelineError,
  retry,
  type TopicFollower,
  whenThere,
} from '@email-events/core';
import {
  type Codec,
  CodecError,
  type Decoder,
  recipientKey,
  SchemaError,
  type Suppression,
  topics,
} from '@email-events/schemas';
import type { LookupConfig } from './config.ts';
import type { SuppressionState } from './state.ts';

/** How much is known of the topic. */
export interface Freshness {
  /** Milliseconds since the time of which everything that was committed by then is in the state; undefined: not everything is, yet. */
  readonly ageMs: number | undefined;
  /** Offsets that the topic has and the state has not. */
  readonly behind: number;
  /** Codes of why no more can be read, or decoded, now. */
  readonly problems: { readonly kafka?: string | undefined; readonly registry?: string | undefined };
}

export interface StateReader {
  freshness(): Freshness;
  /** Rejects with what no waiting changes. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

export interface ReaderOptions {
  readonly kafka: LookupConfig['kafka'];
  readonly codec: Codec;
  readonly name: string;
  readonly state: SuppressionState;
  readonly maxStateBytes: number;
  readonly log: Logger;
}

/** Records after which calls get their turn. */
const TURN_RECORDS = 200;
const REGISTRY_BACKOFF = { firstMs: 200, longestMs: 5_000 };

/** Reads email.suppressions into the state, from the beginning, and keeps it there. Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING. */
export async function readStates(options: ReaderOptions): Promise<StateReader> {
  const { kafka, name, log } = options;
  const taking = new Taking(options);
  const topic = topics.suppressions;
  const follower = await whenThere(
    () => followTopic(kafka, { topic, name, log, onRecords: (records) => taking.take(records) }),
    { log, what: 'kafka' },
  );
  return {
    freshness: () => freshnessOf(follower, taking.problem),
    done: follower.done,
    async stop() {
      taking.stop();
      await follower.stop();
    },
  };
}

function freshnessOf(follower: TopicFollower, registry: string | undefined): Freshness {
  const { behind, wholeAt, problem } = follower.state();
  const known = follower.caughtUp && wholeAt !== undefined;
  return {
    ageMs: known ? Math.max(0, Math.ceil(performance.now() - wholeAt)) : undefined,
    behind,
    problems: { kafka: problem, registry },
  };
}

/** Takes records into the state. */
class Taking {
  /** Code of what keeps it from decoding, which is not the records' fault: they wait. */
  problem: string | undefined;
  private readonly options: ReaderOptions;
  private readonly decoder: Decoder<Suppression>;
  private readonly over = new AbortController();

  constructor(options: ReaderOptions) {
    this.options = options;
    this.decoder = options.codec.decoder<Suppression>('suppression');
  }

  stop(): void {
    this.over.abort();
  }

  async take(records: readonly InputRecord[]): Promise<void> {
    await this.loadSchemas(records);
    const unreadable: InputRecord[] = [];
    for (const [index, record] of records.entries()) {
      if (this.over.signal.aborted) return;
      if (!this.takeOne(record)) unreadable.push(record);
      if (index % TURN_RECORDS === TURN_RECORDS - 1) await turn();
    }
    this.tell(unreadable);
    const { state, maxStateBytes } = this.options;
    if (state.bytes <= maxStateBytes) return;
    const message = `${state.size} recipients take ${state.bytes} bytes, sinks.lookup.maxStateBytes is ${maxStateBytes}`;
    throw new PipelineError('LOOKUP_STATE_FULL', 'fatal', message);
  }

  /** Schemas that are not known yet are asked for until they are there. */
  private async loadSchemas(records: readonly InputRecord[]): Promise<void> {
    const { signal } = this.over;
    const values = records.flatMap(({ value }) => (value === null ? [] : [value]));
    await retry(() => this.decoder.load(values), {
      backoff: REGISTRY_BACKOFF,
      signal,
      // Nothing else is the registry's fault.
      retryIf: (error) => error instanceof SchemaError,
      onRetry: (error) => {
        if (this.problem === undefined)
          this.options.log.error({ code: codeOf(error) }, 'a schema cannot be had: states wait for it');
        this.problem = codeOf(error);
      },
    }).catch((error) => {
      if (!signal.aborted) throw error;
    });
    this.problem = undefined;
  }

  /** False: it cannot be read. */
  private takeOne({ key, value, timestamp }: InputRecord): boolean {
    const { state } = this.options;
    // The broker takes no record without a key on a compacted topic; it would be about nobody.
    if (key === null) return false;
    const text = key.toString();
    const recipient = isPseudonym(text) ? text : recipientKey(text);
    if (value === null) {
      state.delete(recipient);
      return true;
    }
    try {
      state.put(recipient, this.decoder.decode(value));
      return true;
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      state.putUnreadable(recipient, timestamp);
      return false;
    }
  }

  private tell(unreadable: readonly InputRecord[]): void {
    const [first] = unreadable;
    if (!first) return;
    const { topic, partition, offset } = first;
    this.options.log.error(
      { code: 'LOOKUP_RECORD_UNREADABLE', topic, partition, offset, count: unreadable.length },
      'a state cannot be read: nothing may be sent to its recipient',
    );
  }
}
