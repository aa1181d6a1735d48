import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { keyedId, type OutputRecord, pseudonymsOf, readTopic, TransactionalWriter } from '@email-events/core';
import { type NormalizedBatch, type OperatorAction, partitionOf, topics } from '@email-events/schemas';
import { decoderOf, type Suppressions } from './topic.ts';

/** Who orders, when (epoch milliseconds) and why. */
export interface Order {
  readonly by: string;
  readonly at: number;
  readonly why: string;
}

/** Reasons that a recipient may be suppressed for. */
export const REASONS = ['hard_bounce', 'complaint', 'unsubscribe', 'soft_bounces', 'manual'] as const;

/** Send nothing to the recipient, or nothing of a stream. */
export function suppress(recipient: string, scope: string, order: Order): OperatorAction {
  return action({ ...BLANK, ...order, kind: 'suppress', recipient, scope });
}

/** Makes all that is known up to now void, or that of one reason or scope (null: every one). */
export function lift(
  recipient: string,
  { reason, scope }: { readonly reason: string | null; readonly scope: string | null },
  order: Order,
): OperatorAction {
  return action({ ...BLANK, ...order, kind: 'lift', recipient, reason, scope });
}

/** Forgets the recipient; that there must be no mail stays. */
export function erase(recipient: string, order: Order): OperatorAction {
  return action({ ...BLANK, ...order, kind: 'erase', recipient });
}

/** The reports of a source in a time: epoch milliseconds of reception, `to` is exclusive. */
export interface SaidBySource {
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Makes void what a source said of the recipient in a time, whenever it comes. It is for good, so the same words again are
 * the same action, by any operator: an order that was cut short can be given again.
 */
export function retract(recipient: string, said: SaidBySource, order: Order): OperatorAction {
  const { source, from, to } = said;
  return {
    ...{ ...BLANK, ...order, kind: 'retract', recipient, source, from, to },
    action_id: retractId(recipient, said),
  };
}

export const retractId = (recipient: string, { source, from, to }: SaidBySource): string =>
  idOf(['retract', recipient, source, from, to]);

const BLANK = {
  ...{ reason: null, scope: null, source: null, from: null, to: null },
  ...{ changed: null, taken_at: null },
} as const;

function action(said: Omit<OperatorAction, 'action_id'>): OperatorAction {
  const { kind, recipient, at, by, why, reason, scope } = said;
  return { ...said, action_id: idOf([kind, recipient, at, by, why, reason, scope]) };
}

/** 32 hex digits, as event ids are. */
const idOf = (parts: readonly (string | number | null)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);

export interface OrderOptions extends Suppressions {
  readonly actions: readonly OperatorAction[];
  /** How long to wait for `events` to take them, milliseconds; 0: not at all. */
  readonly waitMs: number;
  /** Ends the writing between transactions, and the waiting. */
  readonly signal: AbortSignal;
  readonly onProgress: (result: OrderResult) => void;
}

export interface OrderResult {
  /** Actions written to Kafka: `events` will take them, even if this command ends early. */
  ordered: number;
  /** Actions that `events` has taken and that changed what is suppressed, and those that did not. */
  changed: number;
  unchanged: number;
}

/** A record stays far below what its topic takes; a transaction holds a few of them. */
const RECORD_ACTIONS = 200;
const TRANSACTION_ACTIONS = 2_000;
const PROGRESS_MS = 1_000;

/**
 * Puts actions where the events of their recipients go, so that each has its place among them, and waits until `events` has told
 * what became of them. Each transaction is whole; of one that is not written, nothing is ordered.
 * Throws KAFKA_UNREACHABLE, KAFKA_TOPIC_MISSING, REGISTRY_UNREACHABLE.
 */
export async function order(options: OrderOptions): Promise<OrderResult> {
  const { actions, waitMs, signal, onProgress } = options;
  const result: OrderResult = { ordered: 0, changed: 0, unchanged: 0 };
  if (actions.length === 0) return result;
  if (waitMs === 0) {
    await write(options, result);
    return result;
  }
  const over = new AbortController();
  // Of one that was erased, the action is told under a keyed id.
  const keys = pseudonymsOf(options.config);
  const waiting = new Map(
    actions.flatMap(({ action_id: id }) =>
      [id, ...keys.map((by) => keyedId(id, by))].map((told) => [told, id]),
    ),
  );
  const pending = new Set(waiting.values());
  const started = Promise.withResolvers<void>();
  const following = follow(options, AbortSignal.any([signal, over.signal]), started.resolve, (action) => {
    if (!pending.delete(waiting.get(action.action_id) ?? '')) return;
    if (action.changed) result.changed++;
    else result.unchanged++;
    if (pending.size === 0) over.abort();
  });
  const progress = setInterval(() => onProgress(result), PROGRESS_MS);
  try {
    await Promise.race([started.promise, following]);
    await write(options, result);
    if (result.ordered < actions.length) over.abort();
    await Promise.race([following, deadline(waitMs, over.signal)]);
    over.abort();
    await following;
  } finally {
    clearInterval(progress);
    over.abort();
    await following.catch(() => {});
  }
  return result;
}

async function follow(
  { config, codec }: Suppressions,
  signal: AbortSignal,
  onStart: () => void,
  onAction: (action: OperatorAction) => void,
): Promise<void> {
  const decode = decoderOf<OperatorAction>(codec, 'operatorAction');
  await readTopic(config.kafka, {
    topics: [topics.operatorActions],
    from: 'end',
    follow: true,
    signal,
    onStart,
    onRecord: async ({ value }) => {
      const action = value === null ? undefined : await decode(value);
      if (action) onAction(action);
    },
  });
}

async function deadline(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

async function write({ config, codec, actions, signal }: OrderOptions, result: OrderResult): Promise<void> {
  const encoder = await codec.encoder<NormalizedBatch>(topics.normalized, 'normalized');
  // Named after its first action: this run depends on nothing that another one may be writing, and must not fence it off.
  const name = `suppressions-${actions[0]?.action_id.slice(0, 8)}`;
  const writer = await TransactionalWriter.open(config.kafka, name);
  try {
    for (let start = 0; start < actions.length && !signal.aborted; start += TRANSACTION_ACTIONS) {
      const part = actions.slice(start, start + TRANSACTION_ACTIONS);
      await writer.write(
        recordsOf(part, config.topics.partitions).map(({ partition, batch }) => ({
          ...{ topic: topics.normalized, partition, key: null },
          value: encoder.encode(batch),
        })),
      );
      result.ordered += part.length;
    }
  } finally {
    await writer.close();
  }
}

/** Pure: the actions in records of their recipients' partitions. */
export function recordsOf(
  actions: readonly OperatorAction[],
  partitions: number,
): { readonly partition: OutputRecord['partition']; readonly batch: NormalizedBatch }[] {
  const records: { partition: number; batch: NormalizedBatch }[] = [];
  const open = new Map<number, NormalizedBatch>();
  for (const action of actions) {
    const partition = partitionOf(action.recipient, partitions);
    let batch = open.get(partition);
    if (!batch || batch.actions.length >= RECORD_ACTIONS) {
      batch = { events: [], actions: [] };
      open.set(partition, batch);
      records.push({ partition, batch });
    }
    batch.actions.push(action);
  }
  return records;
}
