import { avroReader, type Backoff, type Logger, type RunningSink, runSink } from '@email-events/core';
import { type Codec, type Suppression, topics } from '@email-events/schemas';
import type { MemberPace } from './accounts.ts';
import { type CrmConfig, SERVICE } from './config.ts';
import { KeptConsumer } from './kept-consumer.ts';
import { RecipientTurns } from './recipient-turns.ts';
import { type ConfiguredCrm, crmOf } from './settings.ts';
import { type CrmSink, createCrmSink } from './sink.ts';

/** Enough recipients to keep all calls busy; few enough that a batch is soon done. */
const BATCH_ROWS = 200;
const BATCH_BYTES = 1_048_576;
/** A suppression waits no longer for others. */
const FLUSH_MS = 100;
/** What was written to the topic so long ago has been read, or suppressions wait. Milliseconds. */
const CURRENT_MS = 5_000;

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

/** Brings one CRM to the state of email.suppressions. */
export class CrmConsumer extends KeptConsumer {
  private readonly options: CrmConsumerOptions;
  /** Of the partitions; undefined: they move, or there are none yet. */
  private share: number | undefined;
  private sink: CrmSink | undefined;
  /** Of all that write to the CRM. */
  readonly turns = new RecipientTurns();

  constructor(options: CrmConsumerOptions) {
    super({ log: options.log, name: options.crm.name, again: options.again });
    this.options = options;
  }

  /** Whether a suppression of its partitions has still to be written, or it is not known that none has. */
  get waits(): boolean {
    const { running, share, sink } = this;
    if (!running || !sink || share === undefined) return true;
    if (share === 0) return false;
    const tries = sink.isWriting || sink.problem() !== undefined || running.readiness.lanes() !== undefined;
    return tries || !running.isCurrent(CURRENT_MS);
  }

  protected async run(): Promise<RunningSink> {
    const { crm, config, codec, pace, run = runSink<Suppression> } = this.options;
    const { settings, consumer, name, path } = crm;
    const { concurrency, dryRun } = settings;
    const { log, registry: metrics } = this;
    this.share = undefined;
    metrics.setDefaultLabels({ service: SERVICE, ...(name !== undefined && { crm: name }) });
    const definition = crmOf(settings, path);
    // The run before left no partition: until this one has some, a check may be made now and then.
    pace?.setShare(pace.share ?? 0);
    const adapter = definition.connect(settings, Date.now, pace);
    const { scopes } = definition.facts;
    const sink = createCrmSink({
      ...{ adapter, name, concurrency, dryRun, scopes, log, metrics, turns: this.turns },
      callLimit: () => pace?.callsPerSecond,
      isWaiting: () => pace?.isWaiting ?? false,
    });
    this.sink = sink;
    return run({
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
      onShare: (share) => {
        this.share = share;
        pace?.setShare(share);
      },
      metrics,
      log,
    });
  }
}
