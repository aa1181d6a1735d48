import { type MailCounts, type MailWindow, mailboxProviderOf } from '@email-events/schemas';

/** The part of an event that windows are made of. */
export interface Reported {
  readonly type: string;
  readonly esp: string;
  readonly source: string;
  readonly stream: string | null;
  readonly recipient_domain: string;
  readonly received_at: number;
  readonly bounce_category?: string | null;
  readonly feedback_type?: string | null;
}

export const MINUTES_MS = 300_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Longest window by minutes; what is longer is by hour. */
export const MAX_MINUTES = 120;
/** So long the hours of a stream and provider are kept, and those of a source: a rate has a day, and silence the days of a week. */
const KEPT_MS = DAY_MS + 2 * HOUR_MS;
const KEPT_OF_SOURCE_MS = 8 * DAY_MS;
/** Streams of a source that are told apart. Whoever sends makes their names, so there must be an end. */
const MAX_STREAMS = 50;
export const OTHER_STREAMS = '*';
/** Characters of a stream's name. */
const MAX_NAME = 100;

export type Counts = { -readonly [name in Exclude<keyof MailCounts, 'from'>]: number };
const FIELDS = ['delivered', 'bounced', 'blocked', 'deferred', 'complained', 'all'] as const;

export const noCounts = (): Counts => ({
  ...{ delivered: 0, bounced: 0, blocked: 0, deferred: 0, complained: 0, all: 0 },
});

export function addCounts(to: Counts, of: Counts): Counts {
  for (const field of FIELDS) to[field] += of[field];
  return to;
}

/** Reports of a source, or of one stream to one mailbox provider. */
interface Series {
  readonly esp: string;
  readonly source: string;
  readonly stream: string | null;
  readonly provider: string | null;
  lastAt: number;
  readonly minutes: Map<number, Counts>;
  readonly hours: Map<number, Counts>;
}

/** What a rate is of: a source, one of its streams, or one provider of its recipients. */
export interface Scope {
  readonly esp: string;
  readonly source: string;
  readonly stream: string | null;
  readonly provider: string | null;
}

/** A span of time by received_at: from (inclusive) to (exclusive), epoch milliseconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Spans by name. minutes, hours: what has a part in it, in steps of five minutes or of an hour. whole-hours: hours that lie in it. */
export type Spans<Name extends string> = {
  readonly [name in Name]: Span & { readonly by: 'minutes' | 'hours' | 'whole-hours' };
};

export interface View<Name extends string> {
  readonly scope: Scope;
  readonly counts: { readonly [name in Name]: Counts };
}

/**
 * What was reported lately, counted by when it was received: by five minutes for two hours and by hour for a day, for each source, stream
 * and mailbox provider; by hour for eight days for a source. In memory, bounded, pure. Any rule can ask it.
 */
export class MailWindows {
  private readonly series = new Map<string, Series>();
  private readonly streams = new Map<string, Set<string>>();
  private readonly changed = new Set<string>();

  /** Counts an event. `now`: epoch milliseconds; of what was received longer ago than is kept nothing is. */
  add(event: Reported, now: number): void {
    const at = Math.min(event.received_at, now);
    if (!(now - at < KEPT_OF_SOURCE_MS)) return;
    const counts = countsOf(event);
    const { esp, source } = event;
    this.count({ esp, source, stream: null, provider: null }, at, counts);
    if (now - at >= KEPT_MS) return;
    const stream = this.streamOf(source, event.stream);
    this.count({ esp, source, stream, provider: mailboxProviderOf(event.recipient_domain) }, at, counts);
  }

  /** Sources that anything is known of. */
  sources(): Scope[] {
    return [...this.series.values()].filter(isWhole).map(scopeOf);
  }

  /**
   * Counts of a source in these spans: of all its mail first, then of each stream and of each mailbox provider. Not of mail that has
   * none, which is in the first.
   */
  views<Name extends string>(source: string, spans: Spans<Name>): View<Name>[] {
    const views = new Map<string, View<Name>>();
    for (const series of this.series.values()) {
      if (series.source !== source) continue;
      const { esp, stream, provider } = series;
      const scope = { esp, source, stream: null, provider: null };
      const counts = inSpans(series, spans);
      if (isWhole(series)) views.set('', { scope, counts });
      if (stream) addTo(views, `s${stream}`, { scope: { ...scope, stream }, counts });
      if (provider) addTo(views, `p${provider}`, { scope: { ...scope, provider }, counts });
    }
    const whole = views.get('');
    views.delete('');
    return whole ? [whole, ...views.values()] : [];
  }

  /** Reports of a source in hours of which a part lies in the span. */
  reports(source: string, { from, to }: Span): number {
    const series = this.series.get(keyOf({ source, stream: null, provider: null }));
    return series ? inSpan(series, { by: 'hours', from, to }).all : 0;
  }

  /** When the newest report of a source was received, and the beginning of the oldest hour that is known. */
  known(source: string): { readonly lastAt: number; readonly firstHour: number } | undefined {
    const series = this.series.get(keyOf({ source, stream: null, provider: null }));
    if (!series) return undefined;
    return { lastAt: series.lastAt, firstHour: Math.min(...series.hours.keys()) };
  }

  /** Number of windows. */
  get size(): number {
    return this.series.size;
  }

  /** Forgets what is too old. */
  expire(now: number): void {
    for (const [key, series] of this.series) {
      const kept = isWhole(series) ? KEPT_OF_SOURCE_MS : KEPT_MS;
      for (const from of series.minutes.keys())
        if (from < now - MAX_MINUTES * 60_000 - MINUTES_MS) series.minutes.delete(from);
      for (const from of series.hours.keys()) if (from < now - kept) series.hours.delete(from);
      if (series.hours.size > 0) continue;
      this.series.delete(key);
      this.changed.add(key);
      if (series.stream) this.forgetStream(series.source, series.stream);
    }
  }

  /** What has changed since it was asked last, by key; null: it is gone. */
  takeChanged(): Map<string, MailWindow | null> {
    const taken = new Map([...this.changed].map((key) => [key, this.windowAt(key)] as const));
    this.changed.clear();
    return taken;
  }

  /** Takes a window as it was kept. */
  restore(key: string, window: MailWindow | null): void {
    const before = this.series.get(key);
    this.series.delete(key);
    if (!window) {
      if (before?.stream) this.forgetStream(before.source, before.stream);
      return;
    }
    const { esp, source, stream, provider, last_at, minutes, hours } = window;
    const series = { esp, source, stream, provider, lastAt: last_at };
    this.series.set(key, { ...series, minutes: mapOf(minutes), hours: mapOf(hours) });
    if (stream && stream !== OTHER_STREAMS) this.streamsOf(source).add(stream);
  }

  private windowAt(key: string): MailWindow | null {
    const series = this.series.get(key);
    if (!series) return null;
    const { lastAt, minutes, hours, ...scope } = series;
    return { ...scope, last_at: lastAt, minutes: listOf(minutes), hours: listOf(hours) };
  }

  private count(scope: Scope, at: number, counts: Counts): void {
    const key = keyOf(scope);
    let series = this.series.get(key);
    if (!series) {
      series = { ...scope, lastAt: at, minutes: new Map(), hours: new Map() };
      this.series.set(key, series);
    }
    series.lastAt = Math.max(series.lastAt, at);
    for (const [buckets, ms] of [
      [series.minutes, MINUTES_MS],
      [series.hours, HOUR_MS],
    ] as const) {
      const from = at - (at % ms);
      buckets.set(from, addCounts(buckets.get(from) ?? noCounts(), counts));
    }
    this.changed.add(key);
  }

  private streamOf(source: string, stream: string | null): string {
    if (stream === null || stream === '') return '';
    const name = stream.slice(0, MAX_NAME).toWellFormed();
    const known = this.streamsOf(source);
    // All others together take no place, even where a stream has their name.
    if (name === OTHER_STREAMS || known.has(name)) return name;
    if (known.size >= MAX_STREAMS) return OTHER_STREAMS;
    known.add(name);
    return name;
  }

  private streamsOf(source: string): Set<string> {
    const known = this.streams.get(source);
    if (known) return known;
    const none = new Set<string>();
    this.streams.set(source, none);
    return none;
  }

  private forgetStream(source: string, stream: string): void {
    for (const series of this.series.values())
      if (series.source === source && series.stream === stream) return;
    this.streamsOf(source).delete(stream);
  }
}

function inSpans<Name extends string>(series: Series, spans: Spans<Name>): View<Name>['counts'] {
  const entries = Object.entries<Spans<Name>[Name]>(spans).map(([name, span]) => [
    name,
    inSpan(series, span),
  ]);
  return Object.fromEntries(entries) as View<Name>['counts'];
}

function inSpan({ minutes, hours }: Series, { by, from, to }: Spans<string>[string]): Counts {
  const sum = noCounts();
  const [buckets, ms] = by === 'minutes' ? [minutes, MINUTES_MS] : [hours, HOUR_MS];
  const [first, end] = by === 'whole-hours' ? [from, to - ms + 1] : [from - ms + 1, to];
  for (const [at, counts] of buckets) if (at >= first && at < end) addCounts(sum, counts);
  return sum;
}

function addTo<Name extends string>(views: Map<string, View<Name>>, key: string, view: View<Name>): void {
  const known = views.get(key);
  if (!known) {
    const copies = Object.entries<Counts>(view.counts).map(([name, counts]) => [name, { ...counts }]);
    views.set(key, { scope: view.scope, counts: Object.fromEntries(copies) as View<Name>['counts'] });
    return;
  }
  for (const name of Object.keys(known.counts) as Name[]) addCounts(known.counts[name], view.counts[name]);
}

const isWhole = ({ stream, provider }: Pick<Series, 'stream' | 'provider'>) =>
  stream === null && provider === null;

const scopeOf = ({ esp, source, stream, provider }: Series): Scope => ({ esp, source, stream, provider });

/** Of a window in its topic. */
const keyOf = ({ source, stream, provider }: Omit<Scope, 'esp'>) =>
  JSON.stringify([source, stream, provider]);

const BLOCKED: readonly unknown[] = ['policy', 'spam'];

function countsOf({ type, bounce_category, feedback_type }: Reported): Counts {
  const is = (yes: boolean) => (yes ? 1 : 0);
  return {
    delivered: is(type === 'delivered'),
    bounced: is(type === 'bounced'),
    blocked: is(type === 'bounced' && BLOCKED.includes(bounce_category)),
    deferred: is(type === 'deferred'),
    complained: is(type === 'complained' && feedback_type !== 'not-spam'),
    all: 1,
  };
}

const mapOf = (counts: readonly MailCounts[]) => new Map(counts.map(({ from, ...of }) => [from, of]));

const listOf = (buckets: ReadonlyMap<number, Counts>): MailCounts[] =>
  [...buckets].sort(([a], [b]) => a - b).map(([from, counts]) => ({ from, ...counts }));
