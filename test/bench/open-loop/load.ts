import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EspRequest } from '@email-events/esps';
import { percentile } from '../visibility.ts';
import type { OpenLoadResult } from './client.ts';
import { wireBytes, writeRequests } from './requests-file.ts';

export interface OpenLoop {
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
  readonly dir: string;
}

/** Latency of a load at a fixed rate, from the time at which each request was due. */
export interface OpenFigures {
  readonly asked: number;
  readonly accepted: number;
  readonly refused: number;
  readonly mostWaiting: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Writes the requests that such loads send, and returns the file. */
export async function keepRequests(dir: string, requests: Iterable<EspRequest>): Promise<string> {
  const file = join(dir, 'requests.bin');
  await writeFile(file, writeRequests(Array.from(requests, wireBytes)));
  return file;
}

/** Sends what is in the file from a process by itself. */
export async function generateOpenLoop(port: number, file: string, load: OpenLoop): Promise<OpenFigures> {
  const { perSecond, seconds, connections } = load;
  const options = { port, file, rate: perSecond, seconds, connections };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const text = await outputOf([new URL('main.ts', import.meta.url).pathname, ...args]);
  const result = JSON.parse(text) as OpenLoadResult;
  const { asked, statuses, mostWaiting, latenciesMs } = result;
  const accepted = statuses[200] ?? 0;
  const of = (share: number) => percentile(latenciesMs, share);
  return {
    ...{ asked, accepted, refused: asked - accepted, mostWaiting },
    ...{ p50Ms: of(0.5), p99Ms: of(0.99), p999Ms: of(0.999), maxMs: of(1) },
  };
}

function outputOf(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString());
      else reject(new Error(`the load generator ended with ${code}`));
    });
  });
}
