/*
 * Traces from a webhook to its row. The context of a trace travels in headers of records (W3C Trace Context), and only where the request
 * was sampled: what is not sampled costs a look at headers that are not there. Spans are our own, one for each stage that a request goes
 * through, since a record of ours may carry the events of many requests, and a transaction or insert many records.
 */

/** Of one request: on email.raw, and on a typed event. */
export const TRACE_HEADER = 'traceparent';
/** Of several, on email.internal.normalized: JSON, a request's id → its context. */
export const TRACES_HEADER = 'traces';

/** Of a record, a span, or an export: beyond them traces are left out, never records. */
export const MOST_TRACES = 32;

export type Attributes = { readonly [name: string]: string | number };

export interface Traces {
  /** Begins the trace of a request, if it is one of those that are sampled. `startedAt`: epoch milliseconds. */
  begin(name: string, startedAt: number): Spans | undefined;
  /** A span in each of these traces, for work that they share; each span is linked to those of the others. Undefined: there are none. */
  join(name: string, contexts: readonly string[], startedAt?: number): Spans | undefined;
  /** Sends what is left. Never throws. */
  close(): Promise<void>;
}

/** The spans of one piece of work. Those that are never ended are never told. */
export interface Spans {
  /** What is handed on of a trace: its context, with this span as the parent. Undefined: the trace is not among these. */
  handOn(context?: string): string | undefined;
  /** `code`: what went wrong. No address, payload or secret is an attribute. */
  end(attributes: Attributes, code?: string): void;
}

/** Traces that nobody asked for. */
export const NO_TRACES: Traces = {
  begin: () => undefined,
  join: () => undefined,
  close: async () => {},
};

interface WithHeaders {
  readonly headers: { readonly [name: string]: Buffer };
}

/** The context of the request that a record is, or that its event is from. */
export const traceOf = ({ headers }: WithHeaders): string | undefined => headers[TRACE_HEADER]?.toString();

/** Contexts of the requests whose events are in a record, by the request's id. Of one that cannot be read there are none. */
export function tracesOf({ headers }: WithHeaders): ReadonlyMap<string, string> {
  const text = headers[TRACES_HEADER];
  if (text === undefined) return NONE;
  try {
    const traces = Object.entries(JSON.parse(text.toString()) as object);
    return new Map(traces.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return NONE;
  }
}

const NONE: ReadonlyMap<string, string> = new Map();

/** As a header, of the first MOST_TRACES; none if there are none. */
export function tracesHeader(traces: ReadonlyMap<string, string>): { readonly [name: string]: Buffer } {
  if (traces.size === 0) return {};
  const some = Object.fromEntries([...traces].slice(0, MOST_TRACES));
  return { [TRACES_HEADER]: Buffer.from(JSON.stringify(some)) };
}
