import type { InputRecord, OutputRecord } from '@email-events/core';
import {
  CodecError,
  type EmailEvent,
  type Encoder,
  type EventType,
  type RecipientState,
  recipientKey,
  type Suppression,
  topics,
} from '@email-events/schemas';
import type { Totals } from '../state/partition-store.ts';
import { isTelling, learn, NO_STATE, type SoftBounceRule, sizeOf, suppressionChange } from './suppress.ts';

const EVENT_ID = /^[0-9a-f]{32}$/;
/** Far beyond any address that mail can reach (320 octets); a key of any length would not fit every topic. */
const MAX_KEY_LENGTH = 1_000;
/** The topics of a recipient's state take 1 MiB: one record beyond that would stop the partition for good. */
const MAX_STATE_BYTES = 900_000;

/** What a batch asks of the state that was committed before it. */
export interface KnownState {
  has(id: Buffer): boolean;
  recipient(key: string): RecipientState | undefined;
}

export interface BatchSettings {
  readonly softBounces: SoftBounceRule;
  readonly encoders: { readonly [T in EventType]: Encoder<EmailEvent> };
  readonly suppressionEncoder: Encoder<Suppression>;
}

export interface BatchFailure {
  readonly record: InputRecord;
  readonly code: string;
  readonly message: string;
  /** The one event that failed; without it the whole record did. */
  readonly item?: { readonly index: number; readonly event: EmailEvent };
  readonly carriesValue: boolean;
}

/**
 * The events of one transaction, dedupe → suppress → route, on top of the committed state, which it only reads:
 * if the transaction fails, forgetting the batch undoes it.
 */
export class Batch {
  readonly failures: BatchFailure[] = [];
  /** States that changed, by recipient key. */
  readonly recipients = new Map<string, RecipientState>();
  private readonly known: KnownState;
  private readonly settings: BatchSettings;
  private readonly partition: number;
  private readonly typed: OutputRecord[] = [];
  private readonly suppressions = new Map<string, Suppression>();
  private readonly newIds = new Set<string>();
  private readonly idBytes: Buffer[] = [];
  private received = 0;
  private duplicates = 0;

  constructor(known: KnownState, settings: BatchSettings, partition: number) {
    this.known = known;
    this.settings = settings;
    this.partition = partition;
  }

  /** `index`: the event's place in the record. */
  add(record: InputRecord, event: EmailEvent, index: number): void {
    this.received++;
    if (!EVENT_ID.test(event.event_id)) {
      this.fail(record, event, index, 'the event id is not 32 hex digits');
      return;
    }
    const id = Buffer.from(event.event_id, 'hex');
    if (this.newIds.has(event.event_id) || this.known.has(id)) {
      this.duplicates++;
      return;
    }
    const key = recipientKey(event.recipient);
    if (key.length > MAX_KEY_LENGTH) {
      this.fail(record, event, index, 'the recipient is longer than any address');
      return;
    }
    const value = this.encode(record, event, index);
    if (value === undefined) return;
    if (key !== '' && isTelling(event) && !this.suppress(key, event)) {
      this.fail(record, event, index, 'the recipient has more subscriptions than a record holds');
      return;
    }
    this.newIds.add(event.event_id);
    this.idBytes.push(id);
    // An event without a recipient has no order to keep.
    this.typed.push({
      topic: topics.events(event.type),
      partition: this.partition,
      key: key === '' ? null : key,
      value,
    });
  }

  /** The record as a whole cannot be read; it counts as one. */
  refuse(record: InputRecord, { code, message }: { code: string; message: string }): void {
    this.received++;
    this.failures.push({ record, code, message, carriesValue: true });
  }

  /** The work on this event fails in a way nobody foresaw. */
  giveUp(record: InputRecord, event: EmailEvent, index: number, message: string): void {
    this.received++;
    this.fail(record, event, index, message, 'EVENTS_RECORD_FAILED');
  }

  get ids(): Buffer {
    return Buffer.concat(this.idBytes);
  }

  get outputs(): OutputRecord[] {
    const { suppressionEncoder } = this.settings;
    const suppressions = [...this.suppressions].map(([key, suppression]) => ({
      topic: topics.suppressions,
      partition: this.partition,
      key,
      value: suppressionEncoder.encode(suppression),
    }));
    return [...this.typed, ...suppressions];
  }

  totals(before: Totals): Totals {
    return {
      received: before.received + this.received,
      emitted: before.emitted + this.typed.length,
      duplicates: before.duplicates + this.duplicates,
      deadLettered: before.deadLettered + this.failures.length,
    };
  }

  private encode(record: InputRecord, event: EmailEvent, index: number): Buffer | undefined {
    try {
      return this.settings.encoders[event.type].encode(event);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.fail(record, event, index, 'the event does not fit the schema of its type');
      return undefined;
    }
  }

  /** False if the state would grow too large to be kept. */
  private suppress(key: string, event: EmailEvent): boolean {
    const before = this.recipients.get(key) ?? this.known.recipient(key) ?? NO_STATE;
    const after = learn(before, event);
    if (after === before) return true;
    if (sizeOf(after) > MAX_STATE_BYTES) return false;
    this.recipients.set(key, after);
    const change = suppressionChange(key, before, after, event, this.settings.softBounces);
    // Only the newest state of a recipient matters to anyone; one record a transaction is enough.
    if (change) this.suppressions.set(key, change);
    return true;
  }

  private fail(
    record: InputRecord,
    event: EmailEvent,
    index: number,
    message: string,
    code = 'EVENTS_EVENT_INVALID',
  ): void {
    const carriesValue = !this.failures.some((failure) => failure.record === record);
    this.failures.push({
      record,
      code,
      message,
      item: { index, event },
      carriesValue,
    });
  }
}
