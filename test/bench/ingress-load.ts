import { spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { EspRequest } from '@email-events/esps';

export interface Load {
  readonly request: EspRequest;
  readonly connections: number;
  readonly seconds: number;
  readonly dir: string;
}

export interface LoadResult {
  readonly generator: string;
  readonly seconds: number;
  readonly accepted: number;
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** Sends one signed request again and again on all connections, from a separate process: wrk if there is one, else autocannon. */
export function generateLoad(port: number, load: Load): Promise<LoadResult> {
  return hasWrk() ? wrk(port, load) : autocannon(port, load);
}

const hasWrk = () => spawnSync('wrk', ['--version']).error === undefined;

/** For a comparison: what takes less of the machine than the servers do. Throws an error that says how to get it. */
export function requireWrk(): void {
  if (!hasWrk())
    throw new Error('wrk is missing: install it (Debian: apt-get install wrk; macOS: brew install wrk)');
}

const urlOf = (port: number, { url }: EspRequest) => `http://127.0.0.1:${port}${url}`;

async function wrk(port: number, { request, connections, seconds, dir }: Load): Promise<LoadResult> {
  const script = join(dir, 'request.lua');
  await writeFile(script, wrkScript(request));
  const output = await outputOf('wrk', [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    script,
    urlOf(port, request),
  ]);
  const json = output.split('\n').find((line) => line.startsWith('RESULT '));
  if (json === undefined) throw new Error(`wrk gave no result:\n${output}`);
  const figures = JSON.parse(json.slice('RESULT '.length)) as WrkFigures;
  return {
    generator: 'wrk',
    seconds: figures.us / 1e6,
    accepted: figures.requests - figures.status,
    refused: figures.status + figures.socket,
    p50Ms: figures.p50 / 1e3,
    p99Ms: figures.p99 / 1e3,
    p999Ms: figures.p999 / 1e3,
  };
}

interface WrkFigures {
  readonly us: number;
  readonly requests: number;
  readonly status: number;
  readonly socket: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** The request is fixed: no Lua runs while the load does. */
function wrkScript({ method, headers, body }: EspRequest): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${luaText(Buffer.from(name))}] = ${luaText(Buffer.from(value ?? ''))}`,
  );
  return `wrk.method = ${luaText(Buffer.from(method))}
wrk.body = ${luaText(body)}
${lines.join('\n')}
done = function(summary, latency, requests)
  local e = summary.errors
  print(string.format('RESULT {"us":%d,"requests":%d,"status":%d,"socket":%d,"p50":%d,"p99":%d,"p999":%d}',
    summary.duration, summary.requests, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
`;
}

/** Every byte by its number: nothing to escape. */
function luaText(bytes: Buffer): string {
  return `"${Array.from(bytes, (byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}

async function autocannon(port: number, { request, connections, seconds, dir }: Load): Promise<LoadResult> {
  const bodyFile = join(dir, 'body');
  await writeFile(bodyFile, request.body);
  const main = createRequire(import.meta.url).resolve('autocannon');
  const headers = Object.entries(request.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const output = await outputOf(process.execPath, [
    main,
    '--json',
    ...['-c', String(connections), '-d', String(seconds), '-m', request.method, '-i', bodyFile],
    ...headers,
    urlOf(port, request),
  ]);
  const result = JSON.parse(output) as AutocannonResult;
  return {
    generator: 'autocannon',
    seconds: result.duration,
    accepted: result['2xx'],
    refused: result.non2xx + result.errors + result.timeouts,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    p999Ms: result.latency.p99_9,
  };
}

interface AutocannonResult {
  readonly duration: number;
  readonly '2xx': number;
  readonly non2xx: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly latency: { readonly p50: number; readonly p99: number; readonly p99_9: number };
}

function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString());
      else reject(new Error(`${command} ended with ${code}: ${Buffer.concat(complaints)}`));
    });
  });
}
