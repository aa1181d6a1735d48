import { hash, randomBytes } from 'node:crypto';

/** What is kept of a recipient: no address. */
export interface Recipient {
  /** Revision of the state; 0: it has none. */
  readonly revision: number;
  /** A list of ReasonLists. */
  readonly reasons: number;
}

const SEGMENTS = 4_096;
const FIRST_SLOTS = 16;
/** Slots that are taken before a segment grows, and by how much it does: four fifths to two thirds are taken. */
const FULL = 0.8;
const GROWTH = 1.25;
const WORDS = 3;
const SLOT_BYTES = 4 * WORDS + 8 + 4;
const WORD = 2 ** 32;

/** 96 bits that stand for an address. Two of 50 million that have the same: once in 10^14. */
export type Fingerprint = readonly [number, number, number];

/**
 * Recipients by address, in 24 bytes each and the empty slots between them, outside the heap. Not the address is kept but a keyed
 * hash of it: nobody can make addresses that collide, and the memory of the process tells none.
 */
export class Recipients {
  private readonly segments = Array.from({ length: SEGMENTS }, () => new Segment());
  private readonly salt: string;
  private slots = SEGMENTS * FIRST_SLOTS;
  private count = 0;

  constructor(salt: string = randomBytes(16).toString('base64')) {
    this.salt = salt;
  }

  get size(): number {
    return this.count;
  }

  get bytes(): number {
    return this.slots * SLOT_BYTES;
  }

  fingerprintOf(recipient: string): Fingerprint {
    const digest = hash('sha256', this.salt + recipient, 'buffer');
    // A slot whose first word is 0 is empty.
    return [digest.readUInt32LE(0) || 1, digest.readUInt32LE(4), digest.readUInt32LE(8)];
  }

  get(of: Fingerprint): Recipient | undefined {
    const segment = this.segmentOf(of);
    const slot = segment.find(of);
    return segment.isTaken(slot) ? segment.read(slot) : undefined;
  }

  set(of: Fingerprint, recipient: Recipient): void {
    const segment = this.segmentOf(of);
    let slot = segment.find(of);
    if (!segment.isTaken(slot)) {
      const grown = segment.makeRoom();
      if (grown > 0) slot = segment.find(of);
      this.slots += grown;
      this.count += 1;
    }
    segment.write(slot, of, recipient);
  }

  delete(of: Fingerprint): void {
    const segment = this.segmentOf(of);
    const slot = segment.find(of);
    if (!segment.isTaken(slot)) return;
    segment.remove(slot);
    this.count -= 1;
  }

  private segmentOf([, second]: Fingerprint): Segment {
    return this.segments[second % SEGMENTS] as Segment;
  }
}

/** A small hash table with open addressing: growing one takes less than a millisecond, whatever the others hold. */
class Segment {
  private words = new Uint32Array(FIRST_SLOTS * WORDS);
  private revisions = new Float64Array(FIRST_SLOTS);
  private reasons = new Uint32Array(FIRST_SLOTS);
  private taken = 0;

  /** The slot of this fingerprint, or the empty one where it would be. */
  find([first, second, third]: Fingerprint): number {
    const { words } = this;
    const length = this.reasons.length;
    for (let slot = this.homeOf(first); ; slot = slot + 1 === length ? 0 : slot + 1) {
      const at = slot * WORDS;
      const word = words[at];
      if (word === 0) return slot;
      if (word === first && words[at + 1] === second && words[at + 2] === third) return slot;
    }
  }

  isTaken(slot: number): boolean {
    return this.words[slot * WORDS] !== 0;
  }

  read(slot: number): Recipient {
    return { revision: this.revisions[slot] ?? 0, reasons: this.reasons[slot] ?? 0 };
  }

  write(slot: number, of: Fingerprint, { revision, reasons }: Recipient): void {
    if (!this.isTaken(slot)) this.taken += 1;
    this.words.set(of, slot * WORDS);
    this.revisions[slot] = revision;
    this.reasons[slot] = reasons;
  }

  /** Closes the gap with those behind it that may stand nearer to their home. */
  remove(slot: number): void {
    const length = this.reasons.length;
    let gap = slot;
    for (let next = (gap + 1) % length; this.isTaken(next); next = (next + 1) % length) {
      const home = this.homeOf(this.words[next * WORDS] ?? 0);
      // Whether the gap lies on the way from its home to where it is, around the end if need be.
      if ((next - home + length) % length < (next - gap + length) % length) continue;
      this.words.copyWithin(gap * WORDS, next * WORDS, (next + 1) * WORDS);
      this.revisions[gap] = this.revisions[next] ?? 0;
      this.reasons[gap] = this.reasons[next] ?? 0;
      gap = next;
    }
    this.words.fill(0, gap * WORDS, (gap + 1) * WORDS);
    this.taken -= 1;
  }

  /** Makes room for one more, and returns how many slots were added for it. */
  makeRoom(): number {
    const before = this.reasons.length;
    if (this.taken + 1 <= before * FULL) return 0;
    const { words, revisions, reasons } = this;
    const length = Math.ceil(before * GROWTH);
    this.words = new Uint32Array(length * WORDS);
    this.revisions = new Float64Array(length);
    this.reasons = new Uint32Array(length);
    this.taken = 0;
    for (let slot = 0; slot < before; slot++) {
      const at = slot * WORDS;
      const first = words[at] ?? 0;
      if (first === 0) continue;
      const of: Fingerprint = [first, words[at + 1] ?? 0, words[at + 2] ?? 0];
      this.write(this.find(of), of, { revision: revisions[slot] ?? 0, reasons: reasons[slot] ?? 0 });
    }
    return length - before;
  }

  private homeOf(first: number): number {
    return Math.floor((first / WORD) * this.reasons.length);
  }
}
