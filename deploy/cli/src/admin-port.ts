import { PipelineError } from '@email-events/core/errors';

/** No admin port has as much to tell: hundreds of partitions and sources come to some hundred kilobytes of metrics. */
const MAX_BYTES = 16_777_216;

/**
 * The text that an admin port answers with, whatever the status. Its address may be that of anything: the answer is bounded in time and
 * size, and redirects are not followed. Throws if there is none.
 */
export async function adminText(url: string, timeoutMs: number): Promise<{ ok: boolean; text: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = '';
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES)
      throw new PipelineError('CLI_UNAVAILABLE', 'reject', `${url}: the answer is too long`);
    text += decoder.decode(chunk, { stream: true });
  }
  return { ok: response.ok, text };
}

/** One sample of Prometheus's text format. */
export interface Sample {
  readonly name: string;
  readonly labels: { readonly [name: string]: string };
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Comments and what is no sample are left out. */
export function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const match = LINE.exec(line);
    if (!match || line.startsWith('#')) return [];
    const labels = [...(match[2] ?? '').matchAll(LABEL)].map(([, name, value]) => [
      name,
      unescaped(value ?? ''),
    ]);
    return [{ name: match[1] ?? '', labels: Object.fromEntries(labels), value: Number(match[3]) }];
  });
}

const unescaped = (text: string) => text.replace(/\\(["\\n])/g, (_, c: string) => (c === 'n' ? '\n' : c));

/** Sum of a metric's samples by the value of one label. */
export function sumBy(samples: readonly Sample[], name: string, label: string): { [value: string]: number } {
  const sums: { [value: string]: number } = {};
  for (const sample of samples) {
    const key = sample.labels[label];
    if (sample.name !== name || key === undefined) continue;
    sums[key] = (sums[key] ?? 0) + sample.value;
  }
  return sums;
}

const TIMEOUT_MS = 5_000;

/** Reads the metrics of a service's admin port. Throws if it does not answer. */
export async function scrape(adminUrl: string): Promise<Sample[]> {
  const { ok, text } = await adminText(`${adminUrl}/metrics`, TIMEOUT_MS);
  if (!ok) throw new PipelineError('CLI_UNAVAILABLE', 'retry', `${adminUrl} has no metrics`);
  return parseMetrics(text);
}
