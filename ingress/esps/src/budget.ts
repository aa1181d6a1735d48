import { isAscii } from 'node:buffer';
import { type EspEvent, type EspRequest, Refusal } from './adapter.ts';
import { bodyKind } from './reading/form.ts';

/** How much of one request is taken on. What exceeds it is refused as a whole, before more is made of it. */
export interface Budget {
  readonly maxItems: number;
  readonly maxEvents: number;
  /** Bytes that its events may come to. */
  readonly maxOutputBytes: number;
  /** The same as a multiple of what was received, for requests whose events come to more than FREE_OUTPUT_BYTES. */
  readonly maxOutputRatio: number;
  /** Items that cannot be read and are refused one by one. */
  readonly maxDeadLetters: number;
}

/** The largest real batches have 1,000 events (Mandrill) or 1.2 MB (SparkPost); SendGrid's end at 768 kB, some 2,500 events. */
export const DEFAULT_BUDGET: Budget = {
  maxItems: 10_000,
  maxEvents: 10_000,
  maxOutputBytes: 8_388_608,
  maxOutputRatio: 20,
  maxDeadLetters: 100,
};

/** A small event with fifty addressees may well come to a hundred times its size; that is still next to nothing. */
export const FREE_OUTPUT_BYTES = 524_288;

/** Bytes that the pipeline adds to an event: ids, request, place, times, and a source and an account of 63 characters. */
const EVENT_OVERHEAD = 300;
/** Bytes of identities. They are not written but hashed, once for each event: a few tenths of a second for all of a request. */
const MAX_HASHED = 67_108_864;
const VALUE_OVERHEAD = 4;

/** The request as a whole is beyond its budget. */
export class OverBudget extends Refusal {}

/** The size of one request's events so far. Counts while the adapter makes them, so that it makes no more than there is room for. */
export class Spending {
  private readonly budget: Budget;
  private readonly room: number;
  private readonly bytesOf: (text: string) => number;
  private events = 0;
  private spent = 0;
  private hashed = 0;

  constructor(budget: Budget, request: Pick<EspRequest, 'body' | 'url' | 'headers'>) {
    this.budget = budget;
    const received = request.body.length + request.url.length;
    const allowed = Math.max(FREE_OUTPUT_BYTES, received * budget.maxOutputRatio);
    this.room = Math.min(allowed, budget.maxOutputBytes);
    this.bytesOf = hasAsciiOnly(request) ? lengthOf : Buffer.byteLength;
  }

  /** Bytes, at most so many when encoded. */
  get bytes(): number {
    return this.spent;
  }

  /** Throws OverBudget if that is too many. */
  items(count: number): void {
    const { maxItems } = this.budget;
    if (count <= maxItems) return;
    throw new OverBudget('NORMALIZE_TOO_MANY_ITEMS', `${count} items, where ${maxItems} are allowed`);
  }

  /** Throws OverBudget if it is one too many. */
  event(event: EspEvent): void {
    const { maxEvents } = this.budget;
    this.events++;
    if (this.events > maxEvents)
      throw new OverBudget('NORMALIZE_TOO_MANY_EVENTS', `more events than the ${maxEvents} that are allowed`);
    const { bytesOf } = this;
    this.hashed += sizeOfValue(event.identity, bytesOf) + sizeOfValue(event.formerly, bytesOf);
    if (this.hashed > MAX_HASHED)
      throw new OverBudget('NORMALIZE_OUTPUT_TOO_LARGE', 'what identifies the events is too long');
    this.spend(EVENT_OVERHEAD + sizeOf(event, bytesOf));
  }

  /** Throws OverBudget if there is no room for so many bytes. */
  spend(bytes: number): void {
    this.spent += bytes;
    if (this.spent > this.room)
      throw new OverBudget('NORMALIZE_OUTPUT_TOO_LARGE', `the events come to more than ${this.room} bytes`);
  }
}

/**
 * Whether no text in the request can have other letters than ASCII's, whose number is that of their bytes: asking for the bytes of each
 * text takes longer than counting all else.
 */
function hasAsciiOnly(request: Pick<EspRequest, 'body' | 'url' | 'headers'>): boolean {
  const { body, url, headers } = request;
  if (bodyKind(request) !== 'json' || !isAscii(body) || body.includes('\\u') || url.includes('%'))
    return false;
  return Object.values(headers).every((value = '') => Buffer.byteLength(value) === value.length);
}

const lengthOf = (text: string) => text.length;

/** The recipient is there a second time as its domain. */
function sizeOf(event: EspEvent, bytesOf: (text: string) => number): number {
  let bytes = bytesOf(event.recipient) + VALUE_OVERHEAD;
  for (const name in event) {
    if (name === 'identity' || name === 'formerly') continue;
    const value = event[name as keyof EspEvent];
    if (typeof value === 'string') bytes += bytesOf(value) + VALUE_OVERHEAD;
    else bytes += typeof value === 'object' ? sizeOfValue(value, bytesOf) : VALUE_OVERHEAD;
  }
  return bytes;
}

function sizeOfValue(value: unknown, bytesOf: (text: string) => number): number {
  if (typeof value === 'string') return bytesOf(value) + VALUE_OVERHEAD;
  if (typeof value !== 'object' || value === null) return VALUE_OVERHEAD;
  let bytes = VALUE_OVERHEAD;
  if (Array.isArray(value)) {
    for (const inner of value) bytes += sizeOfValue(inner, bytesOf);
    return bytes;
  }
  const inner = value as { readonly [name: string]: unknown };
  for (const name in inner) bytes += bytesOf(name) + VALUE_OVERHEAD + sizeOfValue(inner[name], bytesOf);
  return bytes;
}
