import { isIP } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isPseudonym, keyedId, type Pseudonym, type SinkRecord } from '@email-events/core';
import {
  type DeadLetter,
  type EmailEvent,
  type EventMark,
  eventTypeOf,
  recipientKey,
  type Suppression,
  topics,
} from '@email-events/schemas';
import type { ClickHouseValue } from '../rows.ts';
import { agentKept } from './agents.ts';
import { domainOf, fingerprintOf, isStoredPseudonym, storedAs } from './pseudonyms.ts';
import { linkKept, PersonInTexts } from './texts.ts';

/** Fields that name people, or may, and are stored all the same: `subject` and `metadata.<key>`. */
export type Kept = ReadonlySet<string>;

const ROWS_A_TURN = 500;
/** A record may be of megabytes. */
const CHARACTERS_A_TURN = 500_000;
/** Prose: servers quote whom they write of. */
const PROSE: readonly string[] = ['smtp_response', 'diagnostic', 'subject', 'drop_reason', 'remote_mta'];
/** The pipeline's own words, which no sender may change: rows are found by them, and who may see them is decided by them. */
const OURS: ReadonlySet<string> = new Set([
  ...['type', 'esp', 'source', 'account', 'request_id', 'occurred_at_source', 'recipient_domain'],
  ...['bounce_class', 'bounce_category', 'scope', 'feedback_type'],
]);
const METADATA = 'metadata.';
/** The recipient in the sender's own system: counted and joined by, so it is hashed and not left out. */
const USER = 'user';

/** Makes values of records name nobody, always in the same way for the same key. */
export class Hiding {
  readonly fingerprint: string;
  private readonly by: Pseudonym;
  private readonly kept: Kept;

  constructor(by: Pseudonym, kept: Kept) {
    this.by = by;
    this.kept = kept;
    this.fingerprint = fingerprintOf(by);
  }

  /** Under which id an event of a recipient is stored. */
  id(eventId: string): string {
    return keyedId(eventId, this.by);
  }

  /** Records as they are stored. Throws what a value throws that cannot be read. Others get a turn now and then. */
  async hideAll(records: readonly SinkRecord<ClickHouseValue>[]): Promise<SinkRecord<ClickHouseValue>[]> {
    const hidden: SinkRecord<ClickHouseValue>[] = [];
    let [rows, characters] = [0, 0];
    for (const record of records) {
      hidden.push(this.hide(record));
      rows++;
      characters += charactersOf(record.value);
      if (rows < ROWS_A_TURN && characters < CHARACTERS_A_TURN) continue;
      await nextTurn();
      [rows, characters] = [0, 0];
    }
    return hidden;
  }

  /** An event as its row has it. `key`: of its record; null: made of the recipient. */
  event<E extends EmailEvent>(event: E, key: string | null): E {
    const recipient = event.recipient === '' ? '' : (key ?? recipientKey(event.recipient));
    const fields = event as unknown as { readonly [name: string]: unknown };
    const person = new PersonInTexts(event.recipient, recipient, addressOf(fields.ip));
    const hidden: { [name: string]: unknown } = {};
    for (const [name, value] of Object.entries(event))
      hidden[name] = OURS.has(name) ? value : textsKept(value, person, name);
    Object.assign(hidden, {
      recipient: this.recipient(recipient),
      recipient_domain: domainOf(recipient),
      event_id: recipient === '' ? event.event_id : this.id(event.event_id),
      subject: this.kept.has('subject') ? (hidden.subject ?? null) : null,
      metadata: this.metadata(event.metadata ?? {}, person),
    });
    // What anybody used, and where; the whole item.
    if ('ip' in fields) hidden.ip = null;
    if ('user_agent' in fields) hidden.user_agent = agentKept(textOf(fields.user_agent));
    if ('payload' in fields) hidden.payload = null;
    if (typeof fields.url === 'string') hidden.url = linkKept(fields.url, person, this.by);
    return hidden as unknown as E;
  }

  private hide(record: SinkRecord<ClickHouseValue>): SinkRecord<ClickHouseValue> {
    const { topic, key, value, timestamp, attempts } = record;
    const of = { topic, key, value, timestamp, attempts };
    if (eventTypeOf(topic))
      return value
        ? {
            ...of,
            value: this.event(value as EmailEvent, key) as ClickHouseValue,
            key: this.keyOf(value as EmailEvent, key),
          }
        : of;
    if (topic === topics.suppressions)
      return {
        ...of,
        key: key === null ? null : this.recipient(key),
        value: value && this.suppression(value as Suppression),
      };
    if (topic === topics.eventMarks) return { ...of, value: value && this.mark(value as EventMark) };
    if (topic === topics.deadLetters) return { ...of, value: value && letterKept(value as DeadLetter) };
    return of;
  }

  private keyOf({ recipient }: EmailEvent, key: string | null): string {
    return recipient === '' ? '' : this.recipient(key ?? recipientKey(recipient));
  }

  /** What stands for somebody already stays as it is. */
  private recipient(key: string): string {
    return key === '' || isPseudonym(key) ? key : storedAs(key, this.by);
  }

  private metadata(
    metadata: { readonly [key: string]: string },
    person: PersonInTexts,
  ): { [key: string]: string } {
    const kept: [string, string][] = [];
    for (const [name, value] of Object.entries(metadata)) {
      if (this.kept.has(METADATA + name)) kept.push([name, person.inProse(value)]);
      else if (name === USER && value !== '') kept.push([name, keyedId(`user ${value}`, this.by)]);
    }
    return Object.fromEntries(kept);
  }

  private suppression(state: Suppression): Suppression {
    if (isPseudonym(state.recipient)) return state;
    const person = new PersonInTexts(state.recipient, state.recipient, null);
    return {
      ...state,
      recipient: this.recipient(state.recipient),
      event_id: this.id(state.event_id),
      reasons: state.reasons.map((reason) => ({
        ...reason,
        event_id: this.id(reason.event_id),
        detail: reason.detail === null ? null : person.inProse(reason.detail),
      })),
    };
  }

  /**
   * The command that marks reads the rows, so the id is the one that the row has: of a row from before, its own. What takes the place of an event comes
   * from the topics.
   */
  private mark(mark: EventMark): EventMark {
    const { recipient } = mark;
    if (recipient === '') return mark;
    const person = new PersonInTexts(recipient, recipient, null);
    return {
      ...mark,
      recipient: isStoredPseudonym(recipient) ? recipient : this.recipient(recipient),
      replaced_by: mark.replaced_by === null ? null : this.id(mark.replaced_by),
      why: person.inProse(mark.why),
    };
  }
}

/** Of all texts in it. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((sum: number, one) => sum + charactersOf(one), 0);
}

/** Whoever mends a letter reads it in Kafka (`dlq`): of the bytes, and of words about them, nobody knows whom they name. */
const letterKept = (letter: DeadLetter): DeadLetter => ({
  ...letter,
  ...{ message: '', note: null, item: null, key: null, value: null, headers: {} },
});

/** Adapters take what the request says; only an address is looked for in texts. */
const addressOf = (value: unknown) => (typeof value === 'string' && isIP(value) !== 0 ? value : null);

const textOf = (value: unknown) => (typeof value === 'string' ? value : null);

function textsKept(value: unknown, person: PersonInTexts, name: string): unknown {
  if (typeof value === 'string') return PROSE.includes(name) ? person.inProse(value) : person.inName(value);
  return Array.isArray(value) ? value.map((item) => textsKept(item, person, name)) : value;
}
