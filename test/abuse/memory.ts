import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { scrape } from '@email-events/cli/admin-port';
import { type ServiceName, services } from '@email-events/cli/services';
import type { RunningPipeline } from '@email-events/dev/run/pipeline';

/** The services that an attacker's requests may cost memory; the receiver is not the project's to defend. */
export const WATCHED: readonly ServiceName[] = services.map(({ name }) => name);
const SAMPLE_MS = 500;

/** Looks at the resident memory of every service, and remembers the most. */
export class MemoryWatch {
  readonly #pipeline: RunningPipeline;
  readonly #abort = new AbortController();
  readonly #peaks = new Map<ServiceName, number>();
  #watching: Promise<void> | undefined;

  constructor(pipeline: RunningPipeline) {
    this.#pipeline = pipeline;
  }

  start(): void {
    this.#watching = this.#watch();
    // `stop` tells of an error.
    this.#watching.catch(() => {});
  }

  /** Bytes, by service. */
  async stop(): Promise<ReadonlyMap<ServiceName, number>> {
    this.#abort.abort();
    await this.#watching;
    return this.#peaks;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#abort;
    do {
      await Promise.all(WATCHED.map((name) => this.#look(name)));
      await delay(SAMPLE_MS, undefined, { signal }).catch(() => {});
    } while (!signal.aborted);
    await Promise.all(WATCHED.map((name) => this.#look(name)));
  }

  async #look(name: ServiceName): Promise<void> {
    const { pid } = this.#pipeline.service(name);
    const bytes = (await peakOf(pid)) ?? (await residentOf(this.#pipeline.admin[name]));
    if (bytes !== undefined) this.#peaks.set(name, Math.max(bytes, this.#peaks.get(name) ?? 0));
  }
}

/** Linux keeps the most that a process ever had. */
async function peakOf(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
  } catch {
    return undefined;
  }
}

async function residentOf(admin: string | undefined): Promise<number | undefined> {
  if (admin === undefined) return undefined;
  try {
    const samples = await scrape(admin);
    return samples.find(({ name }) => name === 'process_resident_memory_bytes')?.value;
  } catch {
    // Too busy to tell: the next look will.
    return undefined;
  }
}
