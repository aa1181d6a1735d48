import {
  type InputRecord,
  isPutBack,
  keyedId,
  type OutputRecord,
  type Pseudonym,
  PUT_BACK_HEADER,
  type Spans,
  TRACE_HEADER,
  tracesOf,
} from '@email-events/core';
import {
  CodecError,
  type EmailEvent,
  type Encoder,
  type EventType,
  type OperatorAction,
  type PackedEvent,
  type RecipientState,
  recipientKey,
  topics,
} from '@email-events/schemas';
import type { States, Totals } from './state/partition-store.ts';
import { boundedScope, nameOf, shortened } from './suppression/evidence.ts';
import { concernsSuppression } from './suppression/learn.ts';
import { Suppress, type SuppressSettings } from './suppression/suppress.ts';

const PUT_BACK = { [PUT_BACK_HEADER]: Buffer.from('1') };
/** What says that somebody writes to a recipient, or she to us. Whoever opens, clicks or complains may do so of mail of long ago. */
const MAILED_ANEW: ReadonlySet<EventType> = new Set([
  'queued',
  'delivered',
  'deferred',
  'bounced',
  'dropped',
  'subscribed',
]);
const ID = /^[0-9a-f]{32}$/;
/** Far beyond any address that mail can reach (320 octets); a key of any length would not fit every topic. */
const MAX_KEY_LENGTH = 1_000;

/** The state that was committed before the batch. */
export interface KnownState {
  /** `id`: 32 hex digits. */
  has(id: string): boolean;
  recipient(key: string): RecipientState | undefined;
  /** Whether any recipient was erased. */
  readonly hasErased?: boolean;
}

/** How recipients are forgotten. */
export interface ErasureSettings {
  /** Of each key; empty: nobody can be erased. */
  readonly pseudonyms: readonly Pseudonym[];
  /** What occurred so long after an erasure is still of the mail before it. Milliseconds. */
  readonly graceMs: number;
}

/** One who was erased. */
interface Erased {
  readonly pseudonym: string;
  readonly at: number;
  /** What gave the pseudonym. */
  readonly by: Pseudonym;
}

export interface BatchSettings extends SuppressSettings {
  readonly encoders: { readonly [T in EventType]: Encoder<EmailEvent> };
  readonly actionEncoder: Encoder<OperatorAction>;
  readonly erasure: ErasureSettings;
  readonly clock: () => number;
}

export interface BatchFailure {
  readonly record: InputRecord;
  readonly code: string;
  readonly message: string;
  /** The one event or action that failed; without it the whole record did. */
  readonly item?: FailedItem;
  readonly carriesValue: boolean;
}

/** `index`: the place in the record, where actions come behind the events. */
export type FailedItem = { readonly index: number } & (
  | { readonly event: EmailEvent }
  | { readonly action: OperatorAction }
);

/**
 * The events and operators' actions of one transaction, dedupe → suppress → route, on top of the committed state, which it
 * only reads: if the transaction fails, forgetting the batch undoes it.
 */
export class Batch {
  readonly failures: BatchFailure[] = [];
  private readonly spans: Spans | undefined;
  /** Of the record that events came from last. */
  private traced: { readonly record: InputRecord; readonly traces: ReadonlyMap<string, string> } | undefined;
  private readonly known: KnownState;
  private readonly settings: BatchSettings;
  private readonly partition: number;
  private readonly now: number;
  private readonly suppress: Suppress;
  private readonly typed: OutputRecord[] = [];
  private readonly taken: OutputRecord[] = [];
  /** In the order in which they came. */
  private readonly newIds = new Set<string>();
  private received = 0;
  private duplicates = 0;
  private erased = 0;
  private mayBeErased: boolean;
  /** By recipient key, as far as it was asked for; null: not erased. */
  private readonly erasures = new Map<string, Erased | null>();

  constructor(known: KnownState, settings: BatchSettings, partition: number, spans?: Spans) {
    this.spans = spans;
    this.known = known;
    this.settings = settings;
    this.partition = partition;
    this.now = settings.clock();
    this.suppress = new Suppress((key) => known.recipient(key), settings, this.now);
    this.mayBeErased = known.hasErased ?? false;
  }

  /** `index`: the event's place in the record. */
  add(record: InputRecord, event: EmailEvent, index: number): void {
    const { type, event_id, recipient, known_as, request_id } = event;
    const packed = {
      ...{ type, event_id, recipient, known_as, request_id },
      unpacked: () => event,
      typed: () => undefined,
    };
    this.addPacked(record, packed, index);
  }

  /** The same of an event whose bytes are copied where they are wanted as they are. */
  addPacked(record: InputRecord, packed: PackedEvent, index: number): void {
    this.received++;
    const { type, event_id } = packed;
    if (!ID.test(event_id)) {
      this.fail(record, { event: packed.unpacked(), index }, 'the event id is not 32 hex digits');
      return;
    }
    if (this.isSeen(event_id) || packed.known_as.some((id) => ID.test(id) && this.isSeen(id))) {
      this.duplicates++;
      return;
    }
    const key = keyOf(packed.recipient);
    if (key.length > MAX_KEY_LENGTH) {
      this.fail(record, { event: packed.unpacked(), index }, 'the recipient is longer than any address');
      return;
    }
    const erased = this.erasureOf(key);
    if (erased && this.isOfErased(erased, key, packed)) {
      this.erased++;
      this.newIds.add(event_id);
      return;
    }
    const value =
      packed.typed(this.settings.encoders[type].schemaId) ?? this.encode(record, packed.unpacked(), index);
    if (value === undefined) return;
    if (key !== '' && concernsSuppression(type)) this.suppress.learn(key, packed.unpacked());
    this.newIds.add(event_id);
    // An event without a recipient has no order to keep.
    const output = {
      topic: topics.events(type),
      partition: this.partition,
      key: key === '' ? null : key,
      value,
    };
    this.typed.push(this.withHeaders(output, record, packed));
  }

  /** Most have none. */
  private withHeaders(output: OutputRecord, record: InputRecord, packed: PackedEvent): OutputRecord {
    const put = isPutBack(record) ? { ...output, headers: PUT_BACK } : output;
    if (!this.spans) return put;
    if (this.traced?.record !== record) this.traced = { record, traces: tracesOf(record) };
    const { traces } = this.traced;
    if (traces.size === 0) return put;
    const context = traces.get(packed.request_id);
    const trace = context && this.spans.handOn(context);
    return trace ? { ...put, headers: { ...put.headers, [TRACE_HEADER]: Buffer.from(trace) } } : put;
  }

  /** An operator's action, which counts in no total unless it is refused. `index`: behind the events of the record. */
  take(record: InputRecord, action: OperatorAction, index: number): void {
    const key = keyOf(action.recipient);
    const isAddress = key !== '' && key.length <= MAX_KEY_LENGTH;
    const problem = isAddress ? problemOf(action, this.settings.erasure) : 'the recipient is no address';
    if (problem !== undefined || !ID.test(action.action_id)) {
      this.received++;
      this.fail(record, { action, index }, problem ?? 'the id of the action is not 32 hex digits');
      return;
    }
    if (this.isSeen(action.action_id)) return;
    this.newIds.add(action.action_id);
    const { said, changed } = this.obey(key, { ...action, recipient: key });
    const value = this.settings.actionEncoder.encode(takenAction(said, changed, this.now));
    this.taken.push({ topic: topics.operatorActions, partition: this.partition, key: said.recipient, value });
  }

  /** Returns the action as it may be told: of one that was erased, and is not known again, nothing names her. */
  private obey(key: string, action: OperatorAction): { said: OperatorAction; changed: boolean } {
    const erased = this.erasureOf(key);
    if (action.kind === 'erase') return { said: this.erase(key, erased, action), changed: false };
    const said = erased && !this.suppress.find(key) ? ofErased(action, erased.by) : action;
    return { said, changed: this.suppress.take(said.recipient, said) };
  }

  private erase(key: string, before: Erased | null, action: OperatorAction): OperatorAction {
    const by = before?.by ?? this.settings.erasure.pseudonyms[0];
    if (by === undefined) throw new Error('without a key nobody can be erased');
    const said = ofErased(action, by);
    this.suppress.erase(key, said.recipient, { at: this.now, id: said.action_id });
    this.mayBeErased = true;
    this.erasures.delete(key);
    return said;
  }

  private erasureOf(key: string): Erased | null {
    const { pseudonyms } = this.settings.erasure;
    if (!this.mayBeErased || key === '') return null;
    const known = this.erasures.get(key);
    if (known !== undefined) return known;
    let erased: Erased | null = null;
    for (const by of pseudonyms) {
      const pseudonym = by(key);
      const at = this.suppress.find(pseudonym)?.erased_at ?? null;
      if (at !== null) erased = { pseudonym, at, by };
    }
    this.erasures.set(key, erased);
    return erased;
  }

  /** Whether it is of the mail before the erasure, and so dropped; it may still say that there must be no more. Else the recipient is known again. */
  private isOfErased({ pseudonym, at }: Erased, key: string, packed: PackedEvent): boolean {
    const event = packed.unpacked();
    const isKnownAgain = this.suppress.find(key) !== undefined;
    if (event.occurred_at > at + this.settings.erasure.graceMs) {
      if (isKnownAgain) return false;
      if (MAILED_ANEW.has(event.type)) {
        this.suppress.readmit(pseudonym, key, { at: event.occurred_at, id: event.event_id });
        return false;
      }
    }
    if (!isKnownAgain && concernsSuppression(event.type)) this.suppress.learn(pseudonym, event);
    return true;
  }

  /** The record as a whole cannot be read; it counts as one. */
  refuse(record: InputRecord, { code, message }: { code: string; message: string }): void {
    this.received++;
    this.failures.push({ record, code, message, carriesValue: true });
  }

  /** The work on this event fails in an unforeseen way. */
  giveUp(record: InputRecord, event: EmailEvent, index: number, message: string): void {
    this.received++;
    this.fail(record, { event, index }, message, 'EVENTS_RECORD_FAILED');
  }

  /** Ids to remember, of events and of actions: 32 hex digits each. */
  get ids(): ReadonlySet<string> {
    return this.newIds;
  }

  /** States that changed, by recipient key. */
  get recipients(): States {
    return this.suppress.states;
  }

  get outputs(): OutputRecord[] {
    const { partition } = this;
    const suppressions = [...this.suppress.suppressions()].map(({ key, value }) => ({
      topic: topics.suppressions,
      partition,
      key,
      value,
    }));
    return [...this.typed, ...this.taken, ...suppressions];
  }

  /** Of what it has so far, for those who follow a trace. */
  get counts() {
    const { received, duplicates, typed, failures } = this;
    return { received, duplicates, emitted: typed.length, dead_lettered: failures.length };
  }

  totals(before: Totals): Totals {
    return {
      received: before.received + this.received,
      emitted: before.emitted + this.typed.length,
      duplicates: before.duplicates + this.duplicates,
      deadLettered: before.deadLettered + this.failures.length,
      erased: before.erased + this.erased,
    };
  }

  private isSeen(id: string): boolean {
    return this.newIds.has(id) || this.known.has(id);
  }

  private encode(record: InputRecord, event: EmailEvent, index: number): Buffer | undefined {
    try {
      return this.settings.encoders[event.type].encode(event);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.fail(record, { event, index }, 'the event does not fit the schema of its type');
      return undefined;
    }
  }

  private fail(record: InputRecord, item: FailedItem, message: string, code = 'EVENTS_EVENT_INVALID'): void {
    const carriesValue = !this.failures.some((failure) => failure.record === record);
    this.failures.push({ record, code, message, item, carriesValue });
  }
}

/** Half of a character is no text: as a key of a record and of the store it would be two different ones. */
const keyOf = (recipient: string) => recipientKey(recipient).toWellFormed();

/** Characters of what an operator says in the record of an action: one of any length would not fit its topic. */
const MAX_BY = 200;
const MAX_WHY = 2_000;

/**
 * Why somebody is erased is on record; what else is said of her may name her. The id of an action is a hash of all that it says, which anybody could
 * make of an address: so it is replaced by a keyed one.
 */
const ofErased = (action: OperatorAction, by: Pseudonym): OperatorAction => ({
  ...action,
  action_id: keyedId(action.action_id, by),
  recipient: by(action.recipient),
  why: action.kind === 'erase' ? action.why : '',
});

/** Why an action cannot be taken; undefined if it can. */
function problemOf(
  { kind, source, from, to }: OperatorAction,
  { pseudonyms }: ErasureSettings,
): string | undefined {
  switch (kind) {
    case 'erase':
      return pseudonyms.length === 0 ? 'nobody can be erased without erasure.keys' : undefined;
    case 'suppress':
    case 'lift':
      return undefined;
    case 'retract':
      if (source === null || source === '') return 'the action does not say whose words it takes back';
      return from !== null && to !== null && from >= to ? 'the action takes back no time at all' : undefined;
    default:
      return 'the kind of action is unknown';
  }
}

/** The action as it is put on its topic. `now`: epoch milliseconds. */
function takenAction(action: OperatorAction, changed: boolean, now: number): OperatorAction {
  const orNull = (text: string | null, bound: (text: string) => string) => text && bound(text);
  return {
    ...action,
    at: Math.min(action.at, now),
    by: shortened(action.by, MAX_BY),
    why: shortened(action.why, MAX_WHY),
    reason: orNull(action.reason, nameOf),
    scope: orNull(action.scope, boundedScope),
    source: orNull(action.source, nameOf),
    changed,
    taken_at: now,
  };
}
