import { readFileSync } from 'node:fs';

/** What the plan is computed from. All of them are measured with this project's own benchmarks. */
export const FIGURES = {
  eventsPerRequest: 'events a request',
  bodyBytes: 'bytes of a body',
  rawBytes: 'bytes a request in `email.raw`',
  normalizedBytes: 'bytes an event in `email.internal.normalized`',
  seenBytes: 'bytes an event in `email.internal.seen`',
  recipientStateBytes: 'bytes an event in `email.internal.recipient-state`, before compaction',
  typedBytes: 'bytes an event in `email.events.*`',
  rowBytes: 'bytes a row in ClickHouse, rollup included',
  ingressCpuUs: 'CPU µs a request of the ingress',
  normalizeCpuUs: 'CPU µs an event of `normalize`',
  eventsCpuUs: 'CPU µs an event of `events`',
  sinkCpuUs: 'CPU µs a row of the ClickHouse sink',
  ingressPeakMb: 'MB of the ingress at most',
  normalizePeakMb: 'MB of `normalize` at most',
  eventsPeakMb: 'MB of `events` at most, pages of its store included',
  sinkPeakMb: 'MB of the ClickHouse sink at most',
} as const;

export type FigureName = keyof typeof FIGURES;
export type Figures = { readonly [name in FigureName]: number };

/** One benchmark's run. */
export interface Run {
  /** `npm run bench -- …` */
  readonly command: string;
  /** ISO date. */
  readonly date: string;
  /** What else used the machine, in words, or its load average. */
  readonly noise: string;
  /** What a peer did in the same run, or why there is none. */
  readonly peer: string;
  readonly figures: { readonly [name in FigureName]?: number };
}

export interface Measured {
  readonly machine: string;
  readonly runs: readonly Run[];
}

const FILE = new URL('./measured.json', import.meta.url);

/** Throws when a figure is missing, there twice, unknown, or no positive number. */
export function readMeasured(text = readFileSync(FILE, 'utf8')): Measured {
  const measured = JSON.parse(text) as Measured;
  figuresOf(measured);
  return measured;
}

/** Of all runs together. */
export function figuresOf({ runs }: Measured): Figures {
  const found = runs.flatMap(({ figures }) => Object.entries(figures));
  for (const [name, value] of found) {
    if (!Object.hasOwn(FIGURES, name)) throw new Error(`${name} is no figure`);
    if (!(typeof value === 'number' && value > 0)) throw new Error(`${name} is not a number above 0`);
  }
  const names = found.map(([name]) => name);
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  if (twice.length > 0) throw new Error(`there twice: ${twice.join(', ')}`);
  const missing = Object.keys(FIGURES).filter((name) => !names.includes(name));
  if (missing.length > 0) throw new Error(`not measured: ${missing.join(', ')}`);
  return Object.fromEntries(found) as unknown as Figures;
}
