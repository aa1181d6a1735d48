import { avroReader, type Backoff, type Logger, type RunningSink, runSink } from '@email-events/core';
import { type Codec, eventTypeOf, type SchemaKey, topics } from '@email-events/schemas';
import type { MemberPace } from './accounts.ts';
import { type CrmConfig, ENGAGEMENT_TOPICS, engagementOf, SERVICE } from './config.ts';
import type { CrmConsumer } from './consumer.ts';
import { createEngagementSink, type EngagementRecord } from './engagement-sink.ts';
import { KeptConsumer } from './kept-consumer.ts';
import { type ConfiguredCrm, crmOf } from './settings.ts';

/** What a partition gathers before it is written, at most: by recipient it is less. */
const GATHERED_ROWS = 2_000;
const GATHERED_BYTES = 1_048_576;

const SCHEMAS: ReadonlyMap<string, SchemaKey> = new Map(
  ENGAGEMENT_TOPICS.map((topic) => [topic, eventTypeOf(topic) ?? 'suppression']),
);

export interface EngagementConsumerOptions {
  readonly crm: ConfiguredCrm;
  /** That of its suppressions, which go first. */
  readonly suppressions: CrmConsumer;
  readonly config: CrmConfig;
  readonly codec: Codec;
  /** Of the account; undefined: the CRM has no limit. */
  readonly pace: MemberPace | undefined;
  readonly log: Logger;
  /** Default: the runner of core. */
  readonly run?: typeof runSink<EngagementRecord> | undefined;
  readonly again?: Backoff | undefined;
}

/**
 * Tells one CRM of engagement. What the runner gathers of a partition is what is coalesced: in a window of time, bounded by records and
 * bytes, and its end is committed once it is written.
 */
export class EngagementConsumer extends KeptConsumer {
  private readonly options: EngagementConsumerOptions;

  constructor(options: EngagementConsumerOptions) {
    const { crm, log, again } = options;
    super({ log, name: crm.name === undefined ? 'engagement' : `${crm.name}.engagement`, again });
    this.options = options;
  }

  protected async run(): Promise<RunningSink> {
    const { crm, config, codec, pace, suppressions, run = runSink<EngagementRecord> } = this.options;
    const { settings, consumer, path } = crm;
    const { concurrency, dryRun, engagement } = settings;
    const { log, registry: metrics } = this;
    if (!engagement) throw new Error(`${path} has no engagement`);
    const name = crm.name ?? settings.kind;
    metrics.setDefaultLabels({ service: SERVICE, crm: `${name}.engagement` });
    const definition = crmOf(settings, path);
    const part = pace?.behind(engagement.share);
    part?.setShare(0);
    const adapter = definition.connectEngagement(settings, Date.now, part, suppressions.turns);
    if (!adapter) throw new Error(`${settings.kind} cannot be told of engagement`);
    const sink = createEngagementSink({
      ...{ adapter, name, concurrency, dryRun, log, metrics },
      scopes: definition.engagementScopes ?? [],
      callLimit: () => part?.callsPerSecond,
      suppressionsWait: () => suppressions.waits,
      stopped: this.stopped.signal,
    });
    return run({
      kafka: config.kafka,
      deadLetterPartitions: config.topics.deadLetterPartitions,
      codec,
      name: engagementOf(consumer),
      topics: ENGAGEMENT_TOPICS,
      replays: topics.replays,
      // All topics are partitioned by recipient, alike.
      laneOf: (_topic, partition) => String(partition),
      reader: avroReader<EngagementRecord>(codec, SCHEMAS),
      sink,
      concurrency: config.topics.partitions,
      batchRows: GATHERED_ROWS,
      batchBytes: GATHERED_BYTES,
      flushMs: engagement.everyMs,
      onShare: (share) => part?.setShare(share),
      metrics,
      log,
    });
  }
}
