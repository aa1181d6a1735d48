import {
  type AdminOptions,
  avroReader,
  type Backoff,
  backoffMs,
  codeOf,
  type DependencyState,
  type Logger,
  pause,
  Registry,
  type RunningSink,
  runSink,
} from '@email-events/core';
import { type Codec, type Suppression, topics } from '@email-events/schemas';
import type { MemberPace } from './accounts.ts';
import { type CrmConfig, SERVICE } from './config.ts';
import { type ConfiguredCrm, crmOf } from './settings.ts';
import { createCrmSink } from './sink.ts';

/** Enough recipients to keep all calls busy; few enough that a batch is soon done. */
const BATCH_ROWS = 200;
const BATCH_BYTES = 1_048_576;
/** A suppression waits no longer for others. */
const FLUSH_MS = 100;
const AGAIN: Backoff = { firstMs: 1_000, longestMs: 60_000 };
/** One that ran so long before it failed has not failed in a row. */
const LONG_MS = 300_000;

export interface CrmConsumerOptions {
  readonly crm: ConfiguredCrm;
  readonly config: CrmConfig;
  readonly codec: Codec;
  /** Undefined: the CRM has no limit. */
  readonly pace: MemberPace | undefined;
  readonly log: Logger;
  /** Default: the runner of core. */
  readonly run?: typeof runSink<Suppression>;
  /** Pauses before it is started again. */
  readonly again?: Backoff;
}

/** For a CRM that hangs to be told from one that works before the admin port gives up on the answer. */
const CHECK_MS = 4_000;
const CHECKS = ['kafka', 'sink', 'registry', 'lanes'] as const;

/**
 * Brings one CRM to the state of email.suppressions, in a consumer group of its own. If it cannot go on, because its group lacks a right or
 * the broker lost its mind, it is started again, ever more seldom, as the process would be if there were no other CRM in it.
 */
export class CrmConsumer {
  /** Its metrics: those of a further CRM carry its name. */
  readonly registry = new Registry();
  /** Why it does not run now. */
  failure: string | undefined;
  private readonly options: CrmConsumerOptions;
  private readonly log: Logger;
  private readonly stopped = new AbortController();
  private running: RunningSink | undefined;
  private failures = 0;
  private watching: Promise<void> = Promise.resolve();

  constructor(options: CrmConsumerOptions) {
    const { log, crm } = options;
    this.options = options;
    this.log = crm.name === undefined ? log : log.child({ crm: crm.name });
  }

  /**
   * Starts it, or throws why it cannot; it is tried again in either case. `failed` is told whenever it ends by itself, and gives the code
   * of the error.
   */
  async start(failed: (error: unknown) => string): Promise<void> {
    const first = this.open();
    this.watching = this.watch(first, failed);
    await first;
  }

  /** Never throws. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running?.stop();
    await this.watching;
  }

  /**
   * By dependency. As long as another of `all` works, this one makes the service no more than degraded: nothing is gained by taking it out
   * of service, and the others would be with it.
   */
  readiness(all: readonly CrmConsumer[]): AdminOptions['readiness'] {
    const { name } = this.options.crm;
    const others = all.filter((other) => other !== this);
    const states = CHECKS.map((check) => {
      const state = async (): Promise<DependencyState> => {
        const [problem, ...works] = await Promise.all([
          this.problemOf(check),
          ...others.map((other) => other.works()),
        ]);
        return problem !== undefined && works.includes(true) ? { degraded: problem } : problem;
      };
      return [name === undefined ? check : `${name}.${check}`, state] as const;
    });
    return Object.fromEntries(states);
  }

  private async works(): Promise<boolean> {
    const problems = await Promise.all(CHECKS.map((check) => this.problemOf(check)));
    return problems.every((problem) => problem === undefined);
  }

  private async problemOf(check: (typeof CHECKS)[number]): Promise<string | undefined> {
    if (this.running) {
      const late = pause(CHECK_MS, undefined, false).then(() => 'TIMEOUT');
      return Promise.race([this.running.readiness[check](), late]);
    }
    return check === 'kafka' ? (this.failure ?? 'KAFKA_NOT_JOINED') : undefined;
  }

  private async watch(first: Promise<RunningSink>, failed: (error: unknown) => string): Promise<void> {
    for (let opening = first; ; opening = this.open()) {
      const startedAt = performance.now();
      try {
        await (await opening).done;
        return;
      } catch (error) {
        if (this.stopped.signal.aborted) return;
        if (performance.now() - startedAt > LONG_MS) this.failures = 0;
        this.failure = codeOf(error);
        this.failures += 1;
        this.log.error({ code: failed(error), err: error }, 'a CRM’s consumer failed');
      }
      const broken = this.running;
      this.running = undefined;
      await broken?.stop();
      await pause(backoffMs(this.failures, this.options.again ?? AGAIN), this.stopped.signal);
      if (this.stopped.signal.aborted) return;
    }
  }

  private async open(): Promise<RunningSink> {
    const { crm, config, codec, pace, run = runSink<Suppression> } = this.options;
    const { settings, consumer, name, path } = crm;
    const { concurrency, dryRun } = settings;
    const { log, registry: metrics } = this;
    // Of the run before, if it failed: what counts begins anew, as after a restart of the process.
    metrics.clear();
    metrics.setDefaultLabels({ service: SERVICE, ...(name !== undefined && { crm: name }) });
    const definition = crmOf(settings, path);
    // The run before left no partition: until this one has some, a check may be made now and then.
    pace?.setShare(pace.share ?? 0);
    const adapter = definition.connect(settings, Date.now, pace);
    const { scopes } = definition.facts;
    const sink = createCrmSink({
      ...{ adapter, name, concurrency, dryRun, scopes, log, metrics },
      callLimit: () => pace?.callsPerSecond,
      isWaiting: () => pace?.isWaiting ?? false,
    });
    const running = await run({
      kafka: config.kafka,
      deadLetterPartitions: config.topics.deadLetterPartitions,
      codec,
      name: consumer,
      topics: [topics.suppressions],
      replays: topics.replays,
      laneOf: (_topic, partition) => String(partition),
      reader: avroReader<Suppression>(codec, new Map([[topics.suppressions, 'suppression']])),
      sink,
      // The sink itself bounds calls; each lane may have a batch in it.
      concurrency: config.topics.partitions,
      batchRows: BATCH_ROWS,
      batchBytes: BATCH_BYTES,
      flushMs: FLUSH_MS,
      onShare: (share) => pace?.setShare(share),
      metrics,
      log,
    });
    this.failure = undefined;
    this.running = running;
    if (this.stopped.signal.aborted) await running.stop();
    return running;
  }
}
