import { type ReadFrom, readTopic, registryOf } from '@email-events/core';
import {
  Codec,
  CodecError,
  type OperatorAction,
  partitionOf,
  type SchemaKey,
  type Suppression,
  topics,
} from '@email-events/schemas';
import type { PipelineConfig } from '../services.ts';

/** Where states and actions are, and what decodes them. */
export interface Suppressions {
  readonly config: PipelineConfig;
  readonly codec: Codec;
}

export const suppressionsOf = (config: PipelineConfig): Suppressions => ({
  config,
  codec: new Codec(registryOf(config)),
});

/**
 * The newest state of one recipient, out of its partition of the compacted topic; undefined: there is none. `keys`: those that it may be kept under, the first
 * of which counts: its own, then those that stand for it if it was erased.
 */
export async function readState(
  from: Suppressions,
  recipient: string,
  keys: readonly string[] = [recipient],
): Promise<Suppression | undefined> {
  const states = await readStates(from, {
    recipients: new Set(keys),
    partitions: [partitionOf(recipient, from.config.topics.partitions)],
  });
  return keys.flatMap((key) => states.get(key) ?? [])[0];
}

export interface ReadStatesOptions {
  /** Default: all. */
  readonly recipients?: ReadonlySet<string>;
  /** Default: all. */
  readonly partitions?: readonly number[];
  /** States that are not wanted are not kept. */
  readonly wanted?: (state: Suppression) => boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (records: number) => void;
}

const PROGRESS_EVERY = 100_000;

/**
 * The newest state of recipients, by recipient key; read from the topic, which is the truth and needs no ClickHouse. Throws
 * KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING, KAFKA_READ_STALLED.
 */
export async function readStates(
  { config, codec }: Suppressions,
  { recipients, partitions, wanted = () => true, signal, onProgress }: ReadStatesOptions,
): Promise<Map<string, Suppression>> {
  const states = new Map<string, Suppression>();
  const decode = decoderOf<Suppression>(codec, 'suppression');
  let records = 0;
  await readTopic(config.kafka, {
    topics: [topics.suppressions],
    from: fromOf(topics.suppressions, partitions),
    ...(signal ? { signal } : {}),
    onRecord: async ({ key, value }) => {
      if (++records % PROGRESS_EVERY === 0) onProgress?.(records);
      const recipient = key?.toString() ?? '';
      if (recipients && !recipients.has(recipient)) return;
      const state = value === null ? undefined : await decode(value);
      if (state && wanted(state)) states.set(recipient, state);
      else states.delete(recipient);
    },
  });
  return states;
}

/** Orders of operators about one recipient that `events` has taken, the oldest first. */
export async function readActions(
  { config, codec }: Suppressions,
  recipient: string,
  keys: readonly string[] = [recipient],
): Promise<OperatorAction[]> {
  const decode = decoderOf<OperatorAction>(codec, 'operatorAction');
  const actions: OperatorAction[] = [];
  await readTopic(config.kafka, {
    topics: [topics.operatorActions],
    from: fromOf(topics.operatorActions, [partitionOf(recipient, config.topics.partitions)]),
    onRecord: async ({ value }) => {
      const action = value === null ? undefined : await decode(value);
      if (action && keys.includes(action.recipient)) actions.push(action);
    },
  });
  return actions;
}

/** Ids of all retract actions that were taken: those are for good. */
export async function readRetracted({ config, codec }: Suppressions): Promise<Set<string>> {
  const decode = decoderOf<OperatorAction>(codec, 'operatorAction');
  const ids = new Set<string>();
  await readTopic(config.kafka, {
    topics: [topics.operatorActions],
    from: 'beginning',
    onRecord: async ({ value }) => {
      const action = value === null ? undefined : await decode(value);
      if (action?.kind === 'retract') ids.add(action.action_id);
    },
  });
  return ids;
}

function fromOf(topic: string, partitions: readonly number[] | undefined): ReadFrom {
  if (!partitions) return 'beginning';
  return { positions: partitions.map((partition) => ({ topic, partition, offset: 0n })) };
}

/** Undefined for what is no such record: it is of no use to anybody, and no reason to stop. */
export function decoderOf<T>(codec: Codec, schema: SchemaKey): (value: Buffer) => Promise<T | undefined> {
  const decoder = codec.decoder<T>(schema);
  return async (value) => {
    await decoder.load([value]);
    try {
      return decoder.decode(value);
    } catch (error) {
      if (error instanceof CodecError) return undefined;
      throw error;
    }
  };
}
