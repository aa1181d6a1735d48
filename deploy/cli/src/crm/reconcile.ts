import {
  encodeReplay,
  isPseudonym,
  type OutputRecord,
  pseudonymsOf,
  REPLAY_HEADER,
  type ReadRecord,
  readTopic,
} from '@email-events/core';
import { keyOfAddress, recipientKey, type Suppression, topics } from '@email-events/schemas';
import type { SuppressedContact } from '@email-events/sink-crm';
import { Ledger, type LetterSummary, readLetters } from '../dead-letters/letters.ts';
import { decoderOf, type Suppressions } from '../suppressions/topic.ts';
import type { OptOut } from './upstream.ts';

/** A state as it is in the topic. */
export interface StateRecord {
  readonly recipient: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly value: Buffer;
  readonly headers: ReadRecord['headers'];
  /** That of this CRM's consumer about this record. */
  readonly letter?: LetterSummary;
}

/** What the topic and a CRM say of the same recipients. */
export interface Comparison {
  /** Contacts that the CRM lists as suppressed. */
  readonly listed: number;
  /** Recipients that the topic suppresses for all mail. */
  readonly suppressed: number;
  /** Of these, those that the CRM does not list although its consumer had dealt with them before the listing began. */
  readonly missing: readonly StateRecord[];
  /** Of those that it does not list, those that its consumer is still to write. */
  readonly pending: number;
  /** Whom only the CRM suppresses, and the topic never knew: opt-outs that were made there. */
  readonly optOuts: readonly OptOut[];
  /** Recipient keys whom the CRM suppresses, and the topic no more: what was lifted here and not there, or chosen there since. */
  readonly lifted: readonly string[];
  /** Whom the CRM suppresses, and whom the topic has forgotten by order: they are not known again by this. */
  readonly erased: number;
}

/** Contacts as the CRM lists them, by recipient key. */
export class ListedContacts {
  /** Lines of the listing. */
  count = 0;
  private readonly contacts = new Map<string, Omit<OptOut, 'recipient'>>();

  add({ recipient, since, reason, because }: SuppressedContact, seenAt: number): void {
    this.count += 1;
    // The key of the topic, whatever letters the CRM has made of the address.
    this.contacts.set(recipientKey(recipient), { since, seenAt, reason, because });
  }

  has(recipient: string): boolean {
    return this.contacts.has(recipient);
  }

  keys(): Iterable<string> {
    return this.contacts.keys();
  }

  optOut(recipient: string): OptOut {
    const { since, seenAt = 0, reason, because } = this.contacts.get(recipient) ?? {};
    return { recipient, since, seenAt, reason, because };
  }
}

export interface CompareOptions {
  readonly from: Suppressions;
  readonly listed: ListedContacts;
  /** Where the CRM's consumer was when the listing began, by partition. */
  readonly committed: ReadonlyMap<number, bigint>;
  readonly signal: AbortSignal;
  readonly onRead?: (records: number) => void;
}

const TELL_EVERY = 10_000;

/**
 * Compares the newest states of the topic with what a CRM lists. The CRM was asked first: what it is told meanwhile is put back once more, which
 * changes nothing. Keeps the addresses of both, and the records of what is missing.
 */
export async function compare({
  from,
  listed,
  committed,
  signal,
  onRead,
}: CompareOptions): Promise<Comparison> {
  const decode = decoderOf<Suppression>(from.codec, 'suppression');
  const matched = new Set<string>();
  const lifted = new Set<string>();
  const erased = new Set<string>();
  const missing = new Map<string, StateRecord>();
  const pseudonyms = new Set<string>();
  let records = 0;
  await readTopic(from.config.kafka, {
    topics: [topics.suppressions],
    from: 'beginning',
    signal,
    async onRecord({ key, value, partition, offset, timestamp, headers }) {
      if (++records % TELL_EVERY === 0) onRead?.(records);
      const recipient = key?.toString() ?? '';
      for (const all of [matched, lifted, erased, missing]) all.delete(recipient);
      // Of one that was erased: whom it stands for is asked of those that are listed.
      if (isPseudonym(recipient)) {
        if (value === null) pseudonyms.delete(recipient);
        else pseudonyms.add(recipient);
        return;
      }
      const isListed = listed.has(recipient);
      const state = value === null ? undefined : await decode(value);
      if (value === null || !state) {
        // Of a state that cannot be read, too, it is not known that the topic never had it.
        if (isListed) erased.add(recipient);
      } else if (!state.suppressed) {
        if (isListed) lifted.add(recipient);
      } else if (isListed) matched.add(recipient);
      else missing.set(recipient, { recipient, partition, offset, timestamp, value, headers });
    },
  });
  signal.throwIfAborted();
  if (pseudonyms.size > 0) {
    const of = pseudonymsOf(from.config);
    for (const recipient of listed.keys())
      if (of.some((pseudonym) => pseudonyms.has(pseudonym(recipient)))) erased.add(recipient);
  }
  const due = [...missing.values()].filter(
    ({ partition, offset }) => offset < (committed.get(partition) ?? 0n),
  );
  const known = (recipient: string) =>
    matched.has(recipient) || lifted.has(recipient) || erased.has(recipient);
  const strangers = [...listed.keys()].filter((recipient) => !known(recipient));
  return {
    listed: listed.count,
    suppressed: matched.size + missing.size,
    missing: due,
    pending: missing.size - due.length,
    // What is no address is nobody that mail could be sent to.
    optOuts: strangers.flatMap((recipient) => (keyOfAddress(recipient) ? listed.optOut(recipient) : [])),
    lifted: [...lifted],
    erased: erased.size,
  };
}

/**
 * The states with their dead letters of this consumer, and apart those that it has refused: an operator decides of these (`dlq`), and to put
 * them back each time would only refuse them again.
 */
export async function withLetters(
  { config: { kafka }, codec }: Suppressions,
  consumer: string,
  missing: readonly StateRecord[],
  signal: AbortSignal,
): Promise<{ readonly missing: readonly StateRecord[]; readonly refused: readonly StateRecord[] }> {
  if (missing.length === 0) return { missing, refused: [] };
  const idOf = ({ partition, offset }: StateRecord) => `${topics.suppressions}/${partition}/${offset}`;
  const ids = new Set(missing.map(idOf));
  const ledger = new Ledger();
  await readLetters(
    { kafka, codec },
    {
      signal,
      wanted: (key) => ids.has(key),
      onLetter: (letter, at) => void (letter.stage === consumer && ledger.add(letter, at)),
    },
  );
  const letters = new Map(ledger.all.map((letter) => [letter.id, letter]));
  const all = missing.map((record) => {
    const letter = letters.get(idOf(record));
    return letter ? { ...record, letter } : record;
  });
  const isRefused = ({ letter }: StateRecord) => letter !== undefined && letter.status !== 'replayed';
  return { missing: all.filter((record) => !isRefused(record)), refused: all.filter(isRefused) };
}

/** Changes that need no number: so few, and so small a share of what is suppressed. */
const FEW = 100;
const SHARE = 0.01;

/** Whether so many changes are too many to be made unasked: a listing that is cut short would look the same. */
export const isBlast = (changes: number, suppressed: number): boolean =>
  changes > FEW || changes > Math.max(1, suppressed * SHARE);

/** The states as records that only this CRM's consumer takes, in the order of its partition and at its pace. */
export function repairs(missing: readonly StateRecord[], consumer: string): OutputRecord[] {
  return missing.map(({ recipient, partition, offset, timestamp, value, headers, letter }) => {
    const replay = encodeReplay({
      ...{ reason: 'dead-letter', topic: topics.suppressions, partition, offset: Number(offset) },
      ...{ recordedAt: timestamp, sink: consumer, items: null, events: null },
      // Without what it went through, a further failure would be taken for a repetition of the earlier letter.
      letters: letter
        ? [{ item: null, attempts: letter.attempts, firstAt: letter.firstAt, replays: letter.replays + 1 }]
        : [],
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
