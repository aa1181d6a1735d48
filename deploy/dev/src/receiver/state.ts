/** A reason as the pipeline sends it. */
export interface ReceivedReason {
  readonly reason: string;
  readonly scope: string;
  readonly since: number;
  readonly esp: string;
  readonly source: string;
  readonly event_id: string;
  readonly detail: string | null;
}

/** A recipient's whole state as the pipeline posts it. Times are epoch milliseconds. */
export interface ReceivedState {
  readonly recipient: string;
  readonly suppressed: boolean;
  readonly reasons: readonly ReceivedReason[];
  readonly changed_at: number;
  readonly event_id: string;
  /**
   * When the pipeline recorded it: the version. Not `changed_at`, since an older event that arrives late leads to a
   * newer state.
   */
  readonly recorded_at: number;
}

/** The state, or undefined if the value is none. Takes no field on trust: a signature proves who wrote it, not what. */
export function readState(value: unknown): ReceivedState | undefined {
  if (!isObject(value)) return undefined;
  const { recipient, suppressed, reasons, changed_at, event_id, recorded_at } = value;
  const valid =
    isText(recipient) &&
    recipient !== '' &&
    typeof suppressed === 'boolean' &&
    Array.isArray(reasons) &&
    reasons.every(isReason) &&
    isTime(changed_at) &&
    isText(event_id) &&
    (recorded_at === undefined || isTime(recorded_at));
  if (!valid) return undefined;
  return { recipient, suppressed, reasons, changed_at, event_id, recorded_at: recorded_at ?? changed_at };
}

function isReason(value: unknown): value is ReceivedReason {
  if (!isObject(value)) return false;
  const { reason, scope, since, esp, source, event_id, detail } = value;
  return (
    [reason, scope, esp, source, event_id].every(isText) &&
    isTime(since) &&
    (detail === null || isText(detail))
  );
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isTime = (value: unknown): value is number => Number.isSafeInteger(value);

/** Negative: a is older than b. The later of two equal ones is not older. */
export function compareVersions(a: ReceivedState, b: ReceivedState): number {
  return a.recorded_at - b.recorded_at;
}
