import { createHmac } from 'node:crypto';
import { adapters, type EspRequest, type Resources, type Verifier } from '@email-events/esps';
import { createSigner } from '@email-events/esps/accounts';
import { espArguments } from './esp-arguments.ts';
import { writeResult } from './result.ts';
import { hostileBodies } from './unsigned-bodies.ts';

// What a request costs that proves nothing: 1 MB of whatever makes its verification work hardest, on one thread. The measure is the
// digest of as many bytes in the same run, which is what most ESPs' signatures cost and nobody can do without.

const BYTES = 1_048_576;
const ROUNDS = 3;
/** Of a round: the clock of a thread goes in steps of some milliseconds. Microseconds of CPU. */
const ROUND_CPU = 120_000;
/** What costs next to nothing is not done more often than that. */
const MOST_TIMES = 2_000;
const WARM_UP = 6;

interface Cost {
  readonly esp: string;
  /** The body that costs most. */
  readonly worst: string;
  /** Microseconds of CPU. */
  readonly cpu: number;
}

/** `npm run bench -- unsigned [ESP …] [--rounds N]` */
export async function run(args: string[]): Promise<void> {
  const { esps, rounds, isPart } = espArguments(args, ROUNDS);
  const bytes = Buffer.alloc(BYTES, 'a');
  const hash = least(rounds, () => createHmac('sha256', 'key').update(bytes).digest());
  const costs: Cost[] = [];
  for (const esp of esps) costs.push(await worstOf(esp, rounds));
  print(hash, costs);
  await writeResult(isPart ? 'unsigned-part' : 'unsigned', {
    rounds,
    bytes: BYTES,
    'HMAC-SHA256 alone, µs': Math.round(hash),
    ...Object.fromEntries(
      costs.flatMap(({ esp, worst, cpu }) => [
        [`${esp}: µs`, Math.round(cpu)],
        [`${esp}: ratio to the digest`, Math.round((cpu / hash) * 100) / 100],
        [`${esp}: body`, worst],
      ]),
    ),
  });
}

async function worstOf(esp: string, rounds: number): Promise<Cost> {
  const [ours, theirs] = [await createSigner(esp), await createSigner(esp)];
  const adapter = adapters.find(({ name }) => name === esp);
  if (!adapter) throw new Error(`no adapter ${esp}`);
  const verifier = adapter.verifier(ours.settings);
  // Signed, but by somebody else: a missing proof would cost nothing.
  const forged = theirs.sign({ body: '[]', at: Date.now() });
  const costs = hostileBodies(esp, BYTES).map(({ name, contentType, body }) => {
    const type = contentType ?? forged.headers['content-type'] ?? 'application/json';
    const request: EspRequest = { ...forged, headers: { ...forged.headers, 'content-type': type }, body };
    return { esp, worst: name, cpu: least(rounds, () => refused(verifier, request, ours.resources)) };
  });
  return costs.reduce((most, cost) => (cost.cpu > most.cpu ? cost : most));
}

function refused(verifier: Verifier, request: EspRequest, resources: Resources): void {
  const { outcome } = verifier.verify(request, resources);
  if (outcome !== 'refused') throw new Error(`an unsigned request was ${outcome}`);
}

/** Of several rounds: what else runs on the machine only adds to it. */
function least(rounds: number, work: () => unknown): number {
  for (let i = 0; i < WARM_UP; i++) work();
  const costs = Array.from({ length: rounds }, () => {
    const before = process.threadCpuUsage();
    for (let times = 1; ; times++) {
      work();
      const { user, system } = process.threadCpuUsage(before);
      if (user + system >= ROUND_CPU || times >= MOST_TIMES) return (user + system) / times;
    }
  });
  return Math.min(...costs);
}

function print(hash: number, costs: readonly Cost[]): void {
  const rows = [
    ['ESP', 'CPU µs', 'ratio', 'body'],
    ['(HMAC-SHA256 alone)', hash.toFixed(0), '1.00', ''],
    ...costs.map(({ esp, worst, cpu }) => [esp, cpu.toFixed(0), (cpu / hash).toFixed(2), worst]),
  ];
  for (const [esp = '', cpu = '', ratio = '', body = ''] of rows)
    process.stdout.write(`${esp.padEnd(20)}  ${cpu.padStart(8)}  ${ratio.padStart(6)}  ${body}\n`);
}
