import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics, type KafkaSettings, withAdmin } from '@email-events/core';
import { createProvider, type KafkaStack, printProgress, selectProvider } from '@email-events/dev/stack';
import type { EspRequest } from '@email-events/esps';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { topicCatalogue, topics } from '@email-events/schemas';
import { generateLoad, requireWrk } from '../ingress-load.ts';
import { type Measured, pathOf, startIngressProcess } from '../ingress-process.ts';
import { cpuSecondsOf, memoryOf, processesOf } from '../processors/usage.ts';
import { BENTO_VERSION, findBento, startBento } from './bento.ts';
import { startFloor } from './floor.ts';
import { type Figures, printComparison } from './ingress-comparison.ts';
import { mailtrapBody } from './requests.ts';
import { inTurn } from './rounds.ts';

const WARM_UP_SECONDS = 5;
const BENTO_TOPIC = 'bench.bento.raw';

interface Side extends Measured {
  readonly name: string;
  /** Where its records are; undefined: it keeps none. */
  readonly topic: string | undefined;
}

interface Run {
  readonly request: EspRequest;
  readonly dir: string;
  readonly kafka: KafkaSettings;
}

/** This project's ingress, Bento doing the same, and the floor of node:http, in turn in one run. Returns all figures of all rounds. */
export async function run(args: string[]): Promise<{ [figure: string]: number | string }> {
  const { values } = parseArgs({
    args,
    options: {
      connections: { type: 'string', default: '128,32' },
      seconds: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      /** A checkout of this project in another state, as one more side. */
      before: { type: 'string' },
      'without-bento': { type: 'boolean', default: false },
      /** Of the ingress: `ingress.workers`. */
      workers: { type: 'string' },
      brokers: { type: 'string' },
    },
  });
  requireWrk();
  const program = values['without-bento'] ? undefined : await findBento();
  const dir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const connections = values.connections.split(',').map(Number);
  let stack: KafkaStack | undefined;
  const sides: Side[] = [];
  const all: [string, number][] = [];
  try {
    if (values.brokers === undefined) {
      const provider = createProvider(selectProvider(process.env), process.env);
      stack = await provider.startKafka({ dataDir: dir, onProgress: printProgress });
    }
    const brokers = stack?.kafka.brokers ?? values.brokers?.split(',') ?? [];
    const signer = await createSigner('mailtrap');
    const most = Math.max(...connections);
    const measured: Run = { ...(await prepare(brokers, signer)), dir };
    sides.push(
      ...(await startSides({
        signer,
        brokers,
        dir,
        program,
        most,
        before: values.before,
        workers: values.workers,
      })),
    );
    for (const side of sides) await requireRefusal(side, measured);
    for (const side of sides) await load(side, measured, { connections: most, seconds: WARM_UP_SECONDS });
    for (const count of connections) {
      const figures = await compare(sides, measured, {
        connections: count,
        seconds: Number(values.seconds),
        rounds: Number(values.rounds),
      });
      printComparison(count, figures);
      for (const [side, rounds] of figures) all.push(...flat(`${side}_${count}`, rounds));
    }
    return { bento: BENTO_VERSION, seconds: values.seconds, ...Object.fromEntries(all) };
  } finally {
    for (const side of sides) await side.stop();
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Both topics alike, and the request that all sides get. */
async function prepare(brokers: readonly string[], signer: Signer): Promise<Omit<Run, 'dir'>> {
  const { kafka, topics: settings } = pipelineConfig.parse({ kafka: { brokers } });
  const raw = topicCatalogue(settings).find(({ name }) => name === topics.raw);
  if (!raw) throw new Error(`no topic ${topics.raw}`);
  await applyTopics(kafka, [raw, { ...raw, name: BENTO_TOPIC }]);
  const request = signer.sign({ body: mailtrapBody(), at: Date.now(), url: pathOf(signer) });
  return { kafka, request };
}

const HEADER = 'Mailtrap-Signature';

async function startSides(of: {
  signer: Signer;
  brokers: readonly string[];
  dir: string;
  program: string | undefined;
  most: number;
  before: string | undefined;
  workers: string | undefined;
}): Promise<Side[]> {
  const { signer, brokers, dir, program, most: connections, before } = of;
  const workers = of.workers === undefined ? {} : { workers: Number(of.workers) };
  const secret = String(signer.settings.secrets[0]);
  const path = pathOf(signer);
  const pipeline = { brokers, topic: BENTO_TOPIC, path, header: HEADER, secret, connections };
  const start = async (name: string, topic: string | undefined, side: Promise<Measured>): Promise<Side> => ({
    ...(await side),
    ...{ name, topic },
  });
  return [
    await start('ingress', topics.raw, startIngressProcess(signer, brokers, dir, workers)),
    ...(before
      ? [await start('before', topics.raw, startIngressProcess(signer, brokers, dir, { checkout: before }))]
      : []),
    ...(program ? [await start('bento', BENTO_TOPIC, startBento(program, pipeline, dir))] : []),
    await start('floor', undefined, startFloor(HEADER.toLowerCase(), secret)),
  ];
}

/** A signature that is wrong by one digit is answered 401, and keeps nothing. */
async function requireRefusal(side: Side, { request, kafka }: Run): Promise<void> {
  const before = await recordsIn(side, kafka);
  const signature = String(request.headers[HEADER.toLowerCase()]);
  const other = signature.startsWith('0') ? '1' : '0';
  const headers = { ...request.headers, [HEADER.toLowerCase()]: other + signature.slice(1) };
  const answer = await fetch(`http://127.0.0.1:${side.port}${request.url}`, {
    method: 'POST',
    headers: headers as { [name: string]: string },
    body: new Uint8Array(request.body),
  });
  await answer.arrayBuffer();
  const kept = (await recordsIn(side, kafka)) - before;
  if (answer.status !== 401 || kept !== 0) {
    throw new Error(`${side.name} answered a wrong signature with ${answer.status} and kept ${kept} records`);
  }
}

async function compare(
  sides: readonly Side[],
  measured: Run,
  { rounds, ...of }: { connections: number; seconds: number; rounds: number },
): Promise<Map<string, Figures[]>> {
  const found = new Map<string, Figures[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of inTurn(sides, round)) found.get(side.name)?.push(await load(side, measured, of));
  }
  return found;
}

/** Throws if an answer was wrong, or if there are fewer records than answers, or more than requests. */
async function load(
  side: Side,
  { request, dir, kafka }: Run,
  of: { connections: number; seconds: number },
): Promise<Figures> {
  const recordsBefore = await recordsIn(side, kafka);
  const cpuBefore = cpuOf(side);
  const result = await generateLoad(side.port, { ...of, request, dir });
  const cpuSeconds = cpuOf(side) - cpuBefore;
  const records = (await recordsIn(side, kafka)) - recordsBefore;
  const { accepted, refused } = result;
  if (refused > 0) throw new Error(`${side.name} gave ${refused} answers that are not 200`);
  // Requests that were under way when the load ended were kept, and their answers not counted.
  if (side.topic !== undefined && (records < accepted || records > accepted + of.connections))
    throw new Error(`${side.name} answered ${accepted} requests and kept ${records} records`);
  const peaks = processesOf(side.pid).map((pid) => memoryOf(pid).peakMb);
  return {
    requestsPerSecond: accepted / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuUs: (cpuSeconds * 1e6) / accepted,
    peakMb: peaks.reduce((sum, peak) => sum + peak, 0),
    largestMb: Math.max(...peaks),
    answers: accepted,
    records,
  };
}

const cpuOf = ({ pid }: Side) => processesOf(pid).reduce((sum, id) => sum + cpuSecondsOf(id), 0);

const SETTLE_MS = 300;

/** By the ends of its topic, once nothing is under way to it any more: the load ends in the middle of requests. */
async function recordsIn({ topic }: Side, kafka: KafkaSettings): Promise<number> {
  if (topic === undefined) return 0;
  return withAdmin(kafka, async (admin) => {
    for (let before = -1; ; await pause(SETTLE_MS)) {
      const partitions = await admin.fetchTopicOffsets(topic);
      const now = partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
      if (now === before) return now;
      before = now;
    }
  });
}

function flat(name: string, rounds: readonly Figures[]): [string, number][] {
  return rounds.flatMap((figures, round) =>
    Object.entries(figures).map(([figure, value]): [string, number] => [
      `${name}_${round + 1}_${figure}`,
      value,
    ]),
  );
}
