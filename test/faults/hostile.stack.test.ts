import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { scrape, sumBy } from '@email-events/cli/admin-port';
import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline, valuesOf } from '../harness/pipeline.ts';
import type { LaunchedService } from '../harness/service-process.ts';
import { fileScope, vacantStack, waitFor } from '../harness/stack.ts';
import { Attackers } from './hostile-attacks.ts';
import { HonestSenders, honestSigners, sourcesOf, TRICKS } from './hostile-senders.ts';

const SEED = Number(process.env.HOSTILE_SEED ?? 1);
const LIMITS = { maxConnections: 200, maxInFlightBytes: 16 * 1_048_576 };
/** Of V8's old generation: it lets garbage lie up to that. */
const HEAP_MIB = 128;
/** The most that V8 takes for young objects: three spaces of 16 MiB. */
const YOUNG_BYTES = 3 * 16 * 1_048_576;
/** A parser, its headers, what the system handed over of its body, the answer that the client does not read. */
const BYTES_PER_CONNECTION = 256 * 1_024;
/** On top of what a calm process takes. Bodies that were given up and are not collected yet are there a second time. */
const BOUND_BYTES =
  HEAP_MIB * 1_048_576 +
  YOUNG_BYTES +
  2 * LIMITS.maxInFlightBytes +
  LIMITS.maxConnections * BYTES_PER_CONNECTION;

const file = fileScope();
let world: Pipeline;
let ingress: LaunchedService;
let ports: { readonly [name: string]: number };
let senders: HonestSenders;

beforeAll(async () => {
  const signers = await honestSigners();
  world = await startPipeline(file.scope, await vacantStack(file.scope), {
    name: 'hostile',
    settings: {
      ingress: {
        ...LIMITS,
        ...{
          headersTimeoutMs: 2_000,
          requestTimeoutMs: 4_000,
          keepAliveTimeoutMs: 5_000,
          publishTimeoutMs: 5_000,
        },
      },
      sources: sourcesOf(signers),
    },
  });
  ingress = world.launch('ingress', { env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` } });
  ports = await ingress.ready;
  senders = new HonestSenders({ port: () => ports.http ?? 0, signers, seed: SEED, tries: 5 });
  file.scope.onTestFinished(() => senders.close());
}, 180_000);

afterAll(() => file.end(), 60_000);

test.for(TRICKS)('$name', async ({ bytes, answers }) => {
  const found = statusesOf(await send(bytes));
  expect(found).toHaveLength(answers.length);
  for (const [i, answer] of answers.entries()) expect([answer].flat()).toContain(found[i]);
});

test('all attacks at once: honest senders are served, memory stays bounded, nothing of the attackers is in Kafka', async (context) => {
  await senders.send(20);
  const calm = await memory();
  const attackers = new Attackers(ports.http ?? 0, SEED);
  let most = calm;
  let mostInFlight = 0;
  const look = async () => {
    most = Math.max(most, await memory());
    mostInFlight = Math.max(mostInFlight, await inFlight());
  };
  // Too busy to tell: the next look will.
  const watch = setInterval(() => void look().catch(() => {}), 250);
  try {
    await waitFor('all places are taken', async () => (await connections()) === LIMITS.maxConnections);
    await senders.send(20);
    await waitFor('bodies need more bytes than there are', () => overloaded(), 180_000);
    await waitFor('every attack was repeated', () => attackers.rounds >= 1.5, 180_000);
    await senders.send(20);
  } finally {
    clearInterval(watch);
    await attackers.callOff();
    await context.annotate(
      `${senders.acknowledged.size} honest requests, at most ${senders.mostTries} tries, mishaps ${JSON.stringify([...senders.mishaps])}; ` +
        `attackers' connections ${JSON.stringify([...attackers.made])}; memory ${mib(calm)} → ${mib(most)}, bound ${mib(calm + BOUND_BYTES)} MiB`,
    );
  }
  expect(senders.lost).toEqual([]);
  expect(most).toBeLessThan(calm + BOUND_BYTES);
  // Twice of what is allowed is on its way at any time.
  expect(mostInFlight).toBeLessThanOrEqual(LIMITS.maxInFlightBytes);
  await waitFor('attackers are gone', async () => (await connections()) < 20);
  await waitFor('all memory is given back', async () => (await inFlight()) === 0);
  const before = senders.mishaps.size;
  await senders.send(10);
  expect(senders.mishaps.size).toBe(before);
  expect(ingress.isRunning).toBe(true);
  expect(await countsOf('INGRESS_UNEXPECTED')).toBe(0);
  expect(await countsOf('INGRESS_CONNECTION_EVICTED')).toBeGreaterThan(0);

  const found = await valuesOf(world, topics.raw);
  expect([...senders.acknowledged].filter((body) => !found.has(body))).toEqual([]);
  expect([...found.keys()].filter((body) => !senders.sent.has(body))).toEqual([]);
  expect((await readFile(ingress.logFile, 'utf8')).match(/"level":"(error|fatal)".*/g)).toBeNull();
  expect(await ingress.terminate(20_000)).toMatchObject({ code: 0 });
}, 600_000);

async function send(bytes: string): Promise<string> {
  const socket = connect(ports.http ?? 0, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  // A server that has said what it has to say may cut us off while we still talk.
  socket.on('error', () => {});
  socket.end(bytes, 'latin1');
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

const statusesOf = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
const mib = (bytes: number) => Math.round(bytes / 1_048_576);
const samples = () => scrape(`http://127.0.0.1:${ports.admin}`);

async function metric(name: string): Promise<number> {
  const found = (await samples()).find((sample) => sample.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found.value;
}

const overloaded = async () => (await countsOf('INGRESS_OVERLOADED')) > 0;
const inFlight = () => metric('email_events_ingress_in_flight_bytes');
const memory = () => metric('process_resident_memory_bytes');
const connections = () => metric('email_events_ingress_connections');

async function countsOf(code: string): Promise<number> {
  return sumBy(await samples(), 'email_events_ingress_requests_total', 'code')[code] ?? 0;
}
