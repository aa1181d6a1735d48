import { createHmac } from 'node:crypto';
import { parseArgs } from 'node:util';
import { adapters, type EspRequest, type Resources, type Verifier } from '@email-events/esps';
import { createSigner } from '@email-events/esps/testing';
import { writeResult } from './result.ts';
import { hostileBodies } from './unsigned-bodies.ts';

// What a request costs that proves nothing: 1 MB of whatever makes its verification work hardest, on one thread. The measure is the
// digest of as many bytes in the same run, which is what most ESPs' signatures cost and nobody can do without.

const BYTES = 1_048_576;
const ROUNDS = 5;
/** In a round: the clock of a thread is coarse. */
const TIMES = 12;
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
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { rounds: { type: 'string', default: String(ROUNDS) } },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number above 0');
  const names = adapters.map(({ name }) => name);
  const unknown = positionals.filter((esp) => !names.includes(esp));
  if (unknown.length > 0) throw new Error(`no adapter ${unknown.join(', ')}`);
  const esps = positionals.length > 0 ? positionals : names;
  const bytes = Buffer.alloc(BYTES, 'a');
  const hash = least(rounds, () => createHmac('sha256', 'key').update(bytes).digest());
  const costs: Cost[] = [];
  for (const esp of esps) costs.push(await worstOf(esp, rounds));
  print(hash, costs);
  await writeResult(positionals.length > 0 ? 'unsigned-part' : 'unsigned', {
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
    for (let i = 0; i < TIMES; i++) work();
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / TIMES;
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
