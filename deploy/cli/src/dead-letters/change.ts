import type { OutputRecord, TransactionalWriter } from '@email-events/core';
import { type DeadLetter, topics } from '@email-events/schemas';
import { superseded } from '../suppressions/newer.ts';
import {
  type Ledger,
  type LetterSummary,
  type Letters,
  type Place,
  placeKey,
  readLetters,
} from './letters.ts';
import { type LetterWriter, marked, putBack, type RecordLetters } from './put-back.ts';

/** The state that an operator gives to letters. */
export type Change =
  | { readonly status: 'replayed' }
  | { readonly status: 'discarded'; readonly note: string };

/** Letters of one record that are changed together. */
export interface Group {
  readonly letters: readonly LetterSummary[];
  /** The letter that carries the record's bytes. */
  readonly valueAt: Place | undefined;
  /** A newer record has taken the place of this one: it is discarded instead of put back. */
  readonly superseded: boolean;
}

export interface ChangePlan {
  readonly groups: readonly Group[];
  /** Letters whose record cannot be put back, and why. */
  readonly problems: readonly { readonly letter: LetterSummary; readonly problem: string }[];
}

/** Groups letters by their record. */
export function planChange(
  ledger: Ledger,
  letters: readonly LetterSummary[],
  change: Change,
  superseded: ReadonlySet<string> = new Set(),
): ChangePlan {
  const byRecord = new Map<string, LetterSummary[]>();
  for (const letter of letters) {
    const group = byRecord.get(letter.record);
    if (group) group.push(letter);
    else byRecord.set(letter.record, [letter]);
  }
  const groups: Group[] = [];
  const problems: { letter: LetterSummary; problem: string }[] = [];
  for (const group of byRecord.values()) {
    const [first] = group;
    const valueAt = first && ledger.valueAt(first);
    const problem = change.status === 'replayed' ? problemOf(group, valueAt) : undefined;
    if (problem) problems.push(...group.map((letter) => ({ letter, problem })));
    else groups.push({ letters: group, valueAt, superseded: superseded.has(first?.record ?? '') });
  }
  return { groups, problems };
}

function problemOf(letters: readonly LetterSummary[], valueAt: Place | undefined): string | undefined {
  // A record without a value is possible; items are always cut out of one.
  const lost = valueAt === undefined && letters.some(({ item }) => item !== null);
  return lost ? 'the letter that carried its bytes is no longer there' : undefined;
}

export interface Changed {
  readonly records: number;
  readonly letters: number;
}

export interface ChangeOptions {
  readonly from: Letters;
  readonly deadLetterPartitions: number;
  readonly writer: TransactionalWriter;
  readonly groups: readonly Group[];
  readonly change: Change;
  readonly clock: () => number;
  readonly signal: AbortSignal;
  readonly onProgress: (changed: Changed) => void;
}

/** A transaction holds no more than this, unless one record alone does. */
const MAX_BYTES = 4_000_000;
const MAX_LETTERS = 500;

/**
 * Reads the letters again, whole, and changes them, transaction by transaction: a record is in its topic again and its
 * letters are marked, or neither. What was changed when it ends early stays changed.
 */
export async function changeLetters(options: ChangeOptions): Promise<Changed> {
  const { from, groups, signal } = options;
  if (groups.length === 0) return { records: 0, letters: 0 };
  const changer = new Changer(options, await letterWriter(options));
  const done = new AbortController();
  await readLetters(from, {
    from: { positions: firstPlaces(groups).map((place) => ({ topic: topics.deadLetters, ...place })) },
    signal: AbortSignal.any([signal, done.signal]),
    wanted: (_, at) => changer.awaits(at),
    onLetter: async (letter, at) => {
      await changer.take(letter, at);
      if (changer.isComplete) done.abort();
    },
  });
  if (!signal.aborted) await changer.flush();
  return changer.changed;
}

async function letterWriter({ from, deadLetterPartitions, clock }: ChangeOptions): Promise<LetterWriter> {
  const encoder = await from.codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
  return { encoder, deadLetterPartitions, now: clock() };
}

function placesOf({ letters, valueAt }: Group): Place[] {
  const places = letters.map(({ at }) => at);
  return valueAt ? [...places, valueAt] : places;
}

function firstPlaces(groups: readonly Group[]): Place[] {
  const first = new Map<number, Place>();
  for (const place of groups.flatMap(placesOf)) {
    const known = first.get(place.partition);
    if (!known || place.offset < known.offset) first.set(place.partition, place);
  }
  return [...first.values()];
}

/** A group while its letters come in. */
class Gathering {
  readonly letters: DeadLetter[] = [];
  readonly superseded: boolean;
  value: Buffer | null = null;
  private readonly missing: Set<string>;
  private readonly own: Set<string>;
  private readonly valueKey: string | undefined;

  constructor(group: Group) {
    this.superseded = group.superseded;
    this.missing = new Set(placesOf(group).map(placeKey));
    this.own = new Set(group.letters.map(({ at }) => placeKey(at)));
    this.valueKey = group.valueAt && placeKey(group.valueAt);
  }

  /** True when nothing is missing any more. */
  take(letter: DeadLetter, key: string): boolean {
    if (this.own.has(key)) this.letters.push(letter);
    if (key === this.valueKey) this.value = letter.value;
    this.missing.delete(key);
    return this.missing.size === 0;
  }

  get keys(): Iterable<string> {
    return this.missing;
  }
}

class Changer {
  readonly changed = { records: 0, letters: 0 };
  private readonly options: ChangeOptions;
  private readonly letterWriter: LetterWriter;
  private readonly gathering = new Map<string, Gathering>();
  private ready: Gathering[] = [];

  constructor(options: ChangeOptions, letterWriter: LetterWriter) {
    this.options = options;
    this.letterWriter = letterWriter;
    for (const group of options.groups) {
      const gathering = new Gathering(group);
      for (const key of gathering.keys) this.gathering.set(key, gathering);
    }
  }

  get isComplete(): boolean {
    return this.gathering.size === 0;
  }

  awaits(at: Place): boolean {
    return this.gathering.has(placeKey(at));
  }

  async take(letter: DeadLetter, at: Place): Promise<void> {
    const key = placeKey(at);
    const gathering = this.gathering.get(key);
    if (!gathering || this.options.signal.aborted) return;
    this.gathering.delete(key);
    if (!gathering.take(letter, key)) return;
    this.ready.push(gathering);
    const letters = this.ready.reduce((sum, group) => sum + group.letters.length, 0);
    const bytes = this.ready.reduce((sum, group) => sum + sizeOf(group), 0);
    if (letters >= MAX_LETTERS || bytes >= MAX_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const { ready } = this;
    if (ready.length === 0) return;
    this.ready = [];
    const { writer, onProgress } = this.options;
    await writer.write(inOrder(ready).flatMap((group) => this.outputsOf(group)));
    this.changed.records += ready.length;
    for (const { letters } of ready) this.changed.letters += letters.length;
    onProgress(this.changed);
  }

  private outputsOf(group: Gathering): OutputRecord[] {
    const change: Change = group.superseded ? SUPERSEDED : this.options.change;
    const mark = { status: change.status, note: change.status === 'discarded' ? change.note : null };
    const marks = marked(group.letters, mark, this.letterWriter);
    return change.status === 'replayed' ? [...putBack(group), ...marks] : marks;
  }
}

const SUPERSEDED: Change = { status: 'discarded', note: 'a newer state of the recipient followed it' };

const sizeOf = ({ letters, value }: RecordLetters) =>
  (value?.length ?? 0) +
  letters.reduce((sum, letter) => sum + (letter.value?.length ?? 0) + (letter.item?.length ?? 0) + 500, 0);

/** As they were in their partition. */
function inOrder(groups: readonly Gathering[]): Gathering[] {
  const offset = ({ letters }: RecordLetters) => letters[0]?.origin_offset ?? 0;
  return groups.toSorted((a, b) => offset(a) - offset(b));
}

/**
 * Records of letters whose recipient has a newer state by now: what a sink refused then must not come behind it.
 */
export async function supersededRecords(
  { kafka }: Letters,
  letters: readonly LetterSummary[],
): Promise<ReadonlySet<string>> {
  const states = letters.flatMap(({ state, record }) => (state ? [{ ...state, record }] : []));
  return new Set([...(await superseded(kafka, states))].map(({ record }) => record));
}
