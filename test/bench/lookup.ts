import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { TOKEN } from '@email-events/sink-lookup/testing';
import { publishResult } from '../src/result.ts';
import type { Started, Used } from './lookup-server.ts';

// Look-ups against the smallest HTTP server of Node, in turns. What is compared is the CPU time of the server: the generator of the load
// and whatever else runs on the machine take from the calls a second, but not from that.

interface Server extends Started {
  readonly child: ChildProcess;
}

/** One kind of call. */
interface Kind {
  readonly name: string;
  readonly addresses: number;
  /** Calls a second at which latency is measured: far below what a core can. */
  readonly rate: number;
  readonly path: string;
  /** Of a POST. */
  readonly body?: string;
}

interface Round {
  readonly cpuACall: number;
  readonly callsASecond: number;
  readonly p50: number;
  readonly p99: number;
}

const PATH = '/v1/may-mail';
const CONNECTIONS = 8;

/** Half of the addresses are known. */
function batchOf(addresses: number, recipients: number): Kind {
  const all = Array.from({ length: addresses }, (_, n) => `r${(n * 7_919) % (2 * recipients)}@example.com`);
  const rate = Math.max(5, Math.floor(20_000 / addresses));
  const body = JSON.stringify({ addresses: all, stream: 'newsletter' });
  return { name: `POST of ${addresses}`, addresses, rate, path: PATH, body };
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      recipients: { type: 'string', default: '2000000' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
    },
  });
  const [recipients, rounds, seconds] = [values.recipients, values.rounds, values.seconds].map(Number) as [
    number,
    number,
    number,
  ];
  const path = `${PATH}?address=r7919%40example.com&stream=newsletter`;
  const one: Kind = { name: 'GET', addresses: 1, rate: 300, path };
  const kinds = [one, batchOf(1_000, recipients), batchOf(10_000, recipients)];
  const [floor, lookup] = await Promise.all([start('floor', 0), start('lookup', recipients)]);
  const figures: { [figure: string]: number | string } = {
    recipients,
    'bytes a recipient': round(lookup.bytesARecipient),
    'resident bytes a recipient': round(lookup.residentBytesARecipient),
    'µs CPU to take a state': round(lookup.microsecondsAState),
  };
  for (const kind of kinds) {
    const found: { floor: Round[]; lookup: Round[] } = { floor: [], lookup: [] };
    for (let n = 0; n < rounds; n++) {
      found.floor.push(await measure(floor, kind, seconds));
      found.lookup.push(await measure(lookup, kind, seconds));
    }
    Object.assign(figures, figuresOf(kind, found));
  }
  for (const { child } of [floor, lookup]) child.disconnect();
  await publishResult('lookup', figures);
}

function figuresOf({ name, addresses }: Kind, found: { floor: Round[]; lookup: Round[] }) {
  const of = (rounds: readonly Round[], figure: keyof Round) => median(rounds.map((one) => one[figure]));
  const cpu = of(found.lookup, 'cpuACall');
  return {
    [`${name}: look-ups a second of CPU`]: Math.round((addresses * 1e6) / cpu),
    [`${name}: µs CPU a call (floor)`]: `${round(cpu)} (${round(of(found.floor, 'cpuACall'))})`,
    [`${name}: calls a second (floor)`]: `${round(of(found.lookup, 'callsASecond'))} (${round(of(found.floor, 'callsASecond'))})`,
    [`${name}: paced, p50 ms (floor)`]: `${round(of(found.lookup, 'p50'))} (${round(of(found.floor, 'p50'))})`,
    [`${name}: paced, p99 ms (floor)`]: `${round(of(found.lookup, 'p99'))} (${round(of(found.floor, 'p99'))})`,
  };
}

async function start(kind: 'floor' | 'lookup', recipients: number): Promise<Server> {
  const script = new URL('./lookup-server.ts', import.meta.url);
  const child = fork(script, [kind, String(recipients)]);
  const [started] = (await once(child, 'message')) as [Started];
  return { ...started, child };
}

/** As fast as it goes for the CPU time, then paced for the latency. */
async function measure(server: Server, kind: Kind, seconds: number): Promise<Round> {
  const before = await cpuOf(server);
  const flat = await load(server, kind, seconds);
  const used = (await cpuOf(server)) - before;
  const paced = await load(server, kind, seconds, kind.rate);
  return {
    cpuACall: used / flat.requests.total,
    callsASecond: flat.requests.average,
    p50: paced.latency.p50,
    p99: paced.latency.p99,
  };
}

async function cpuOf({ child }: Server): Promise<number> {
  const told = once(child, 'message') as Promise<[Used]>;
  child.send('cpu');
  return (await told)[0].cpu;
}

const CLI = createRequire(import.meta.url).resolve('autocannon');

/** The part of autocannon's figures that is used. Milliseconds. */
interface Figures {
  readonly requests: { readonly total: number; readonly average: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
}

/** From a process of its own. */
async function load(
  { port }: Server,
  { name, path, body }: Kind,
  seconds: number,
  rate?: number,
): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'lookup-load-'));
  const args = ['--json', '--no-progress', '-d', String(seconds), '-H', `authorization=Bearer ${TOKEN}`];
  if (body !== undefined) {
    await writeFile(join(folder, 'body'), body);
    args.push('-m', 'POST', '-H', 'content-type=application/json', '-i', join(folder, 'body'));
  }
  args.push(...(rate === undefined ? ['-c', String(CONNECTIONS)] : ['-c', '2', '-R', String(rate)]));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [
      CLI,
      ...args,
      `http://127.0.0.1:${port}${path}`,
    ]);
    const figures = JSON.parse(stdout) as Figures;
    if (figures.non2xx + figures.errors === 0) return figures;
    throw new Error(`${name}: ${figures.non2xx} refused, ${figures.errors} failed`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const round = (value: number) => Math.round(value * 100) / 100;
