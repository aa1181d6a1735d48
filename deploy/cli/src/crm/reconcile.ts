import {
  encodeReplay,
  type OutputRecord,
  REPLAY_HEADER,
  type ReadRecord,
  readTopic,
} from '@email-events/core';
import { keyOfAddress, type Suppression, topics } from '@email-events/schemas';
import type { SuppressedPage } from '@email-events/sink-crm';
import type { Suppressions } from '../suppressions/topic.ts';

/** A state as it is in the topic. */
export interface StateRecord {
  readonly recipient: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly value: Buffer;
  readonly headers: ReadRecord['headers'];
}

/** What the topic and a CRM say of the same recipients. */
export interface Comparison {
  /** Contacts that the CRM lists as suppressed. */
  readonly listed: number;
  /** Recipients that the topic suppresses for all mail. */
  readonly suppressed: number;
  /** Of these, those that the CRM does not list. */
  readonly missing: readonly StateRecord[];
  /** Recipient keys that only the CRM suppresses: opt-outs that were made there, and what has been lifted since but not in the CRM. */
  readonly extras: readonly string[];
}

export interface CompareOptions {
  readonly from: Suppressions;
  /** The CRM's listing. */
  readonly listed: AsyncIterable<SuppressedPage>;
  readonly signal: AbortSignal;
  readonly onListed?: (contacts: number) => void;
  readonly onRead?: (records: number) => void;
}

const TELL_EVERY = 10_000;

/**
 * Compares the newest states of the topic with what a CRM lists. The CRM is asked first: what it is told meanwhile is put back once more, which
 * changes nothing. Keeps the addresses of both, and the records of what is missing.
 */
export async function compare({
  from,
  listed,
  signal,
  onListed,
  onRead,
}: CompareOptions): Promise<Comparison> {
  const atCrm = new Set<string>();
  let contacts = 0;
  for await (const page of listed) {
    signal.throwIfAborted();
    for (const { recipient } of page.contacts) {
      if (++contacts % TELL_EVERY === 0) onListed?.(contacts);
      // What is no address can be nobody's in the topic.
      const key = keyOfAddress(recipient);
      if (key !== undefined) atCrm.add(key);
    }
  }
  const decoder = from.codec.decoder<Suppression>('suppression');
  const matched = new Set<string>();
  const missing = new Map<string, StateRecord>();
  let records = 0;
  await readTopic(from.config.kafka, {
    topics: [topics.suppressions],
    from: 'beginning',
    signal,
    async onRecord({ key, value, partition, offset, timestamp, headers }) {
      if (++records % TELL_EVERY === 0) onRead?.(records);
      const recipient = key?.toString() ?? '';
      matched.delete(recipient);
      missing.delete(recipient);
      if (value === null) return;
      await decoder.load([value]);
      if (!decoder.decode(value).suppressed) return;
      if (atCrm.has(recipient)) matched.add(recipient);
      else missing.set(recipient, { recipient, partition, offset, timestamp, value, headers });
    },
  });
  signal.throwIfAborted();
  return {
    listed: contacts,
    suppressed: matched.size + missing.size,
    missing: [...missing.values()],
    extras: [...atCrm].filter((recipient) => !matched.has(recipient)),
  };
}

/** Changes that need no number: so few, and so small a share of what is suppressed. */
const FEW = 100;
const SHARE = 0.01;

/** Whether so many changes are too many to be made unasked: a listing that is cut short would look the same. */
export const isBlast = ({ missing, suppressed }: Pick<Comparison, 'missing' | 'suppressed'>): boolean =>
  missing.length > FEW || missing.length > Math.max(1, suppressed * SHARE);

/** The states as records that only this CRM's consumer takes, in the order of its partition and at its pace. */
export function repairs(missing: readonly StateRecord[], consumer: string): OutputRecord[] {
  return missing.map(({ recipient, partition, offset, timestamp, value, headers }) => {
    const replay = encodeReplay({
      ...{ reason: 'dead-letter', topic: topics.suppressions, partition, offset: Number(offset) },
      ...{ recordedAt: timestamp, sink: consumer, items: null, events: null, letters: [] },
    });
    return {
      topic: topics.replays,
      partition,
      key: Buffer.from(recipient),
      value,
      headers: { ...headers, [REPLAY_HEADER]: replay },
    };
  });
}
