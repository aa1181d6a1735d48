import {
  codeOf,
  decodeRawHeaders,
  type GroupCommitProducer,
  type Logger,
  PipelineError,
} from '@email-events/core';
import type { Placement } from '../placement.ts';
import { type Spool, unpackHeaders } from './spool.ts';
import type { StoredRecord } from './spool-file.ts';

export interface DrainOptions {
  readonly spool: Pick<Spool, 'next' | 'settle' | 'appended'>;
  readonly producer: Pick<GroupCommitProducer, 'publish' | 'health'>;
  readonly placement: Pick<Placement, 'of'>;
  readonly log: Logger;
  /** Kafka has it. */
  readonly drained: (source: string) => void;
  /** Kafka will never take it. */
  readonly refused: (source: string) => void;
}

export type DrainState = 'idle' | 'waiting' | 'draining';

/** One batch at a time: live requests wait behind at most one of them, and so much memory it takes. */
const BATCH_BYTES = 500_000;
const BATCH_RECORDS = 500;
const IDLE_MS = 2_000;
const AWAY_MS = 250;

interface Outcome {
  readonly published: number[];
  readonly refused: number[];
  /** Undefined when every record of the batch is settled. */
  readonly problem: string | undefined;
}

/**
 * Brings what is in the spool to Kafka, in order of acceptance, through the same producer as everything else. A record
 * is taken out of the spool when Kafka has acknowledged it, so one may be published twice and none is left out.
 */
export class Drain {
  readonly #options: DrainOptions;
  #stopping = false;
  #wake: () => void = () => {};
  #running: Promise<void> | undefined;
  /** Called when a look that began after it was set has found nothing. */
  #nothingLeft: (() => void) | undefined;
  state: DrainState = 'idle';

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Goes on until nothing is left, for `waitMs` at most; then begins no further batch. Resolves when the one under way is settled. */
  async stop(waitMs = 0): Promise<void> {
    if (waitMs > 0) await this.#emptied(waitMs);
    this.#stopping = true;
    this.#wake();
    await this.#running;
  }

  #emptied(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#nothingLeft = () => {
        clearTimeout(timer);
        resolve();
      };
      // A look that is under way may have been before what was spooled last.
      this.#wake();
    });
  }

  async #run(): Promise<void> {
    const { spool, producer, log } = this.#options;
    let appended = spool.appended();
    while (!this.#stopping) {
      const nothingLeft = this.#nothingLeft;
      if (producer.health() !== undefined) {
        this.state = 'waiting';
        // Whoever waits for an empty spool need not wait for Kafka. What others left is known by a look only.
        if (nothingLeft && !(await spool.next(1, BATCH_BYTES))) nothingLeft();
        if (nothingLeft === this.#nothingLeft) await this.#pause(AWAY_MS);
        continue;
      }
      const batch = await spool.next(BATCH_RECORDS, BATCH_BYTES);
      if (!batch) {
        this.state = 'idle';
        nothingLeft?.();
        if (nothingLeft === this.#nothingLeft) await Promise.race([appended, this.#pause(IDLE_MS)]);
        appended = spool.appended();
        continue;
      }
      this.state = 'draining';
      const { published, refused, problem } = await this.#publish(batch.records);
      await spool.settle(batch.spool, published, refused);
      if (problem === undefined) continue;
      log.warn({ code: problem, spool: batch.spool }, 'draining the spool is interrupted');
      await this.#pause(AWAY_MS);
    }
    this.state = 'idle';
  }

  async #publish(records: readonly StoredRecord[]): Promise<Outcome> {
    const published: number[] = [];
    const refused: number[] = [];
    let problem: string | undefined;
    await Promise.all(
      records.map(async ({ seq, headers, value }) => {
        const unpacked = unpackHeaders(headers);
        const source = String(unpacked.source ?? '');
        try {
          const digest = decodeRawHeaders(unpacked)?.tokenDigest;
          await this.#options.producer.publish({
            value: Buffer.from(value.buffer),
            headers: unpacked,
            ...this.#options.placement.of(source, value.length, digest),
          });
          published.push(seq);
          this.#options.drained(source);
        } catch (error) {
          if (!(error instanceof PipelineError) || error.disposition !== 'reject') {
            problem ??= codeOf(error);
            return;
          }
          refused.push(seq);
          this.#options.refused(source);
          const requestId = String(unpacked['request-id'] ?? '');
          this.#options.log.error(
            {
              code: 'INGRESS_SPOOL_RECORD_REFUSED',
              cause: error.code,
              source,
              requestId,
              bytes: value.length,
            },
            'Kafka refuses a spooled request for good',
          );
        }
      }),
    );
    return { published, refused, problem };
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
