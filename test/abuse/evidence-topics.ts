import type { PipelineConfig } from '@email-events/cli/services';
import { decodeRawHeaders, readTopic } from '@email-events/core';
import {
  Codec,
  type DeadLetter,
  type NormalizedBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import { readEmitted, readSeenTotals, readValues } from '../faults/topics-evidence.ts';
import type { EventTotals } from '../src/invariants.ts';

/** What the topics hold in the end. */
export interface TopicsFound {
  /** Requests in email.raw: the source of each, by its id. */
  readonly raw: ReadonlyMap<string, string>;
  /** Events on email.internal.normalized, duplicates included. */
  readonly normalized: number;
  /** Records on the typed topics. */
  readonly emitted: number;
  /** Of events, out of its changelog. */
  readonly totals: EventTotals;
  readonly letters: readonly LetterFound[];
  /** Newest state by recipient key; those without a reason are left out. */
  readonly suppressions: ReadonlyMap<string, readonly ReasonFound[]>;
}

/** A dead letter, the newest of its key. */
export interface LetterFound {
  readonly stage: string;
  readonly code: string;
  readonly source: string | null;
  readonly requestId: string | null;
  /** Of its record. */
  readonly bytes: number;
}

export interface ReasonFound {
  readonly reason: string;
  readonly scope: string;
  readonly source: string;
}

export async function readTopics(config: PipelineConfig): Promise<TopicsFound> {
  const codec = new Codec({ url: config.registry.url });
  const raw = await readRaw(config);
  let normalized = 0;
  await readValues<NormalizedBatch>(config, codec, topics.normalized, 'normalized', (_record, { events }) => {
    normalized += events.length;
  });
  const emitted = (await readEmitted(config, codec)).length;
  const totals = await readSeenTotals(config, codec);
  return {
    ...{ raw, normalized, emitted, totals },
    letters: await readLetters(config, codec),
    suppressions: await readSuppressions(config, codec),
  };
}

async function readRaw(config: PipelineConfig): Promise<Map<string, string>> {
  const raw = new Map<string, string>();
  await readTopic(config.kafka, {
    topics: [topics.raw],
    from: 'beginning',
    onRecord: ({ headers }) => {
      const request = decodeRawHeaders(headers);
      if (!request) throw new Error('a record of email.raw is none');
      raw.set(request.requestId, request.source);
    },
  });
  return raw;
}

async function readLetters(config: PipelineConfig, codec: Codec): Promise<LetterFound[]> {
  const newest = new Map<string, LetterFound>();
  await readValues<DeadLetter>(config, codec, topics.deadLetters, 'deadLetter', ({ key, value }, letter) => {
    const { stage, code, source, request_id: requestId } = letter;
    newest.set(`${stage} ${key}`, { stage, code, source, requestId, bytes: value?.length ?? 0 });
  });
  return [...newest.values()];
}

async function readSuppressions(
  config: PipelineConfig,
  codec: Codec,
): Promise<Map<string, readonly ReasonFound[]>> {
  const states = new Map<string, readonly ReasonFound[]>();
  await readValues<Suppression>(config, codec, topics.suppressions, 'suppression', (_record, state) => {
    if (state.reasons.length === 0) states.delete(state.recipient);
    else states.set(state.recipient, state.reasons);
  });
  return states;
}
