import { originOf } from '@email-events/core';
import {
  CodecError,
  type DeadLetter,
  type Decoder,
  type EmailEvent,
  eventTypeOf,
  topics,
} from '@email-events/schemas';
import { type Letters, readLetters } from '../dead-letters/letters.ts';

/** Finds the dead letters of requests and items: those that have one are left to `dlq`. */
export class LetterIndex {
  /** Status by request and item; item null: the whole request. */
  private readonly requests = new Map<string, Map<number | null, string>>();
  /** Status by id of an event that `events` refused. */
  private readonly refused = new Map<string, string>();
  /** Events that came out and that ClickHouse refused. */
  readonly emitted = new Set<string>();

  addRequest(letter: DeadLetter): void {
    const origin = originOf(letter);
    const items = this.requests.get(origin) ?? new Map<number | null, string>();
    items.set(letter.item_index, letter.status);
    this.requests.set(origin, items);
  }

  addRefused(eventId: string, status: string): void {
    this.refused.set(eventId, status);
  }

  /** The status of an item's own letter, else of that of its request; undefined: it never failed. */
  ofItem(origin: string, item: number): string | undefined {
    const items = this.requests.get(origin);
    return items?.get(item) ?? items?.get(null);
  }

  ofEvent({ event_id }: EmailEvent): string | undefined {
    return this.refused.get(event_id);
  }
}

export async function readLetterIndex(letters: Letters): Promise<LetterIndex> {
  const index = new LetterIndex();
  const decoders = new Map<string, Decoder<EmailEvent>>();
  const eventIdOf = async ({ origin_topic, value }: DeadLetter): Promise<string | undefined> => {
    const type = eventTypeOf(origin_topic);
    if (type === undefined || value === null) return undefined;
    const decoder = decoders.get(type) ?? letters.codec.decoder<EmailEvent>(type);
    decoders.set(type, decoder);
    await decoder.load([value]);
    try {
      return decoder.decode(value).event_id;
    } catch (error) {
      if (error instanceof CodecError) return undefined;
      throw error;
    }
  };
  await readLetters(letters, {
    onLetter: async (letter) => {
      if (letter.origin_topic === topics.raw) index.addRequest(letter);
      else if (letter.origin_topic === topics.normalized && letter.item !== null)
        index.addRefused((JSON.parse(letter.item.toString()) as EmailEvent).event_id, letter.status);
      else {
        const id = await eventIdOf(letter);
        if (id !== undefined) index.emitted.add(id);
      }
    },
  });
  return index;
}
