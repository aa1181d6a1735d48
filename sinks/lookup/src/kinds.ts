/** What a reason says besides since when: few of these differ, however many recipients have one. */
export interface ReasonKind {
  /** `unreadable`: the recipient's state cannot be read, so nothing may be sent. */
  readonly reason: string;
  readonly scope: string;
  readonly esp: string;
  readonly source: string;
  readonly account: string | null;
}

/** What a kind costs in memory, about: its object, its key, its place in the map. The texts come on top. */
const KIND_BYTES = 300;

/** Kinds by number. Each is kept once, for as long as a reason is of it. */
export class ReasonKinds {
  private readonly ids = new Map<string, number>();
  private readonly kinds: (ReasonKind | undefined)[] = [];
  private readonly keys: string[] = [];
  private readonly uses: number[] = [];
  private readonly free: number[] = [];
  private textBytes = 0;

  get size(): number {
    return this.ids.size;
  }

  get bytes(): number {
    return this.size * KIND_BYTES + this.textBytes;
  }

  /** The number of this kind, for one more reason. */
  take({ reason, scope, esp, source, account }: ReasonKind): number {
    const key = `${reason}\n${esp}\n${source}\n${account === null ? '-' : `+${account}`}\n${scope}`;
    const known = this.ids.get(key);
    if (known !== undefined) {
      this.uses[known] = (this.uses[known] ?? 0) + 1;
      return known;
    }
    const id = this.free.pop() ?? this.kinds.length;
    this.ids.set(key, id);
    this.kinds[id] = { reason, scope, esp, source, account };
    this.keys[id] = key;
    this.uses[id] = 1;
    // As text and as key; two bytes a character at most.
    this.textBytes += 4 * key.length;
    return id;
  }

  /** One reason less is of this kind. */
  release(id: number): void {
    const left = (this.uses[id] ?? 0) - 1;
    this.uses[id] = left;
    if (left > 0) return;
    const key = this.keys[id] ?? '';
    this.ids.delete(key);
    this.kinds[id] = undefined;
    this.keys[id] = '';
    this.textBytes -= 4 * key.length;
    this.free.push(id);
  }

  /** Throws RangeError for a number that stands for none. */
  of(id: number): ReasonKind {
    const kind = this.kinds[id];
    if (!kind) throw new RangeError(`no kind ${id}`);
    return kind;
  }
}
