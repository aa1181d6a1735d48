/**
 * The replacement of an answer.
 * none: nothing. status: that status, nothing applied. hang: no answer until the caller gives up.
 * reset: the connection is cut, nothing applied. lost-acknowledgement: applied, then the connection is cut.
 */
export const FAULT_KINDS = ['none', 'status', 'hang', 'reset', 'lost-acknowledgement'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Of kind status. */
  readonly status?: number;
  /** Retry-After of kind status: seconds or an HTTP date. */
  readonly retryAfter?: string;
}

/** Faults of the next posts, in order. */
export class FaultPlan {
  private planned: Fault[] = [];

  /** Adds the faults of a request to /faults; false, and nothing added, if they are not all readable. */
  add(value: unknown): boolean {
    if (!Array.isArray(value)) return false;
    const faults = value.map(readFaults);
    if (faults.includes(undefined)) return false;
    this.planned.push(...faults.flatMap((some) => some ?? []));
    return true;
  }

  clear(): void {
    this.planned = [];
  }

  take(): Fault {
    return this.planned.shift() ?? { kind: 'none' };
  }

  get left(): number {
    return this.planned.length;
  }
}

const MAX_TIMES = 10_000;

/** `{kind, status?, retryAfter?, times?}` */
function readFaults(value: unknown): Fault[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, status, retryAfter, times = 1 } = value as { [key: string]: unknown };
  const known = FAULT_KINDS.find((name) => name === kind);
  if (!known || !isBetween(times, 1, MAX_TIMES)) return undefined;
  if (known === 'status' && !isBetween(status, 200, 599)) return undefined;
  const fault: Fault = {
    kind: known,
    ...(typeof status === 'number' ? { status } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter: String(retryAfter) }),
  };
  return Array.from({ length: times }, () => fault);
}

const isBetween = (value: unknown, low: number, high: number): value is number =>
  Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
