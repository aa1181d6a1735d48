import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProvider, printProgress, type Stack, selectProvider } from '@email-events/dev/stack';
import type { EspRequest } from '@email-events/esps';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { publishResult, writeResult } from '../src/result.ts';
import { generateLoad } from './ingress-load.ts';
import { type Measured, pathOf, startIngressProcess } from './ingress-process.ts';
import { generateOpenLoop, keepRequests } from './open-loop/load.ts';
import { cpuSecondsOf, memoryOf } from './processors/usage.ts';

/** The requests to send, by variant. */
const VARIANTS: {
  readonly [variant: string]: { readonly esp: string; readonly events: (args: Sizes) => number };
} = {
  /** One HMAC over the body: what most ESPs do, and what other gateways are compared by. */
  hmac: { esp: 'standard-webhooks', events: () => 4 },
  /** ECDSA: its verification alone costs about as much as all the rest. */
  sendgrid: { esp: 'sendgrid', events: () => 5 },
  /** As SendGrid sends: many events a request. */
  batch: { esp: 'sendgrid', events: ({ batch }) => batch },
};

interface Sizes {
  readonly batch: number;
}

/**
 * Signed requests → 200, each after the broker has acknowledged it. Everything on this machine. `--against bento`: beside a peer that does
 * the same, in one run (see peers/README.md).
 */
export async function run(args: string[]): Promise<void> {
  const at = args.indexOf('--against');
  if (at >= 0) return runAgainst(args[at + 1], args.toSpliced(at, 2));
  const { values } = parseArgs({
    args,
    options: {
      connections: { type: 'string', default: '128' },
      seconds: { type: 'string', default: '15' },
      variants: { type: 'string', default: Object.keys(VARIANTS).join(',') },
      batch: { type: 'string', default: '150' },
      /** Shares of what the closed loop came to, each then sent at a fixed rate; empty: none. */
      rates: { type: 'string', default: '0.3,0.6,0.8' },
      /** Different requests that are sent in turn at these rates. */
      different: { type: 'string', default: '20000' },
      /** Bootstrap brokers of a Kafka that is already there. */
      brokers: { type: 'string' },
    },
  });
  const dir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  let stack: Stack | undefined;
  try {
    if (values.brokers === undefined) {
      const provider = createProvider(selectProvider(process.env), process.env);
      stack = await provider.start({ dataDir: dir, onProgress: printProgress });
    }
    const brokers = stack?.kafka.brokers ?? values.brokers?.split(',') ?? [];
    const load = {
      ...{ connections: Number(values.connections), seconds: Number(values.seconds), dir },
      rates: values.rates.split(',').filter(Boolean).map(Number),
      different: Number(values.different),
    };
    const figures: { [figure: string]: number | string } = { connections: load.connections };
    for (const variant of values.variants.split(',')) {
      Object.assign(figures, await measure(variant, brokers, load, { batch: Number(values.batch) }));
    }
    await publishResult('ingress', figures);
  } finally {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function runAgainst(peer: string | undefined, args: string[]): Promise<void> {
  if (peer !== 'bento') throw new Error(`there is no peer ${peer} of the ingress; there is bento`);
  const against = await import('./peers/against-bento.ts');
  await writeResult(`ingress-against-${peer}`, await against.run(args));
}

interface LoadSettings {
  readonly connections: number;
  readonly seconds: number;
  readonly dir: string;
  readonly rates: readonly number[];
  readonly different: number;
}

type Variant = { readonly name: string; readonly signer: Signer; readonly events: number };

async function measure(name: string, brokers: string[], load: LoadSettings, sizes: Sizes) {
  const spec = VARIANTS[name];
  if (!spec) throw new Error(`no variant ${name}; there are ${Object.keys(VARIANTS).join(', ')}`);
  const signer = await createSigner(spec.esp);
  const variant = { name, signer, events: spec.events(sizes) };
  const ingress = await startIngressProcess(signer, brokers, load.dir);
  try {
    const closed = await closedLoop(ingress, variant, load);
    const atRates = await openLoop(ingress, variant, load, closed.requests_per_second);
    const figures = { ...closed, ...atRates, peak_mb: memoryOf(ingress.pid).peakMb };
    return Object.fromEntries(Object.entries(figures).map(([figure, value]) => [`${name}_${figure}`, value]));
  } finally {
    await ingress.stop();
  }
}

/** The same request again and again on all connections, each as soon as the one before is answered. */
async function closedLoop({ port, pid }: Measured, variant: Variant, load: LoadSettings) {
  const request = requestOf(variant, 0);
  await generateLoad(port, { ...load, request, seconds: WARM_UP_SECONDS });
  const before = cpuSecondsOf(pid);
  const result = await generateLoad(port, { ...load, request });
  const cpuUs = ((cpuSecondsOf(pid) - before) * 1e6) / (result.accepted + result.refused);
  const perSecond = result.accepted / result.seconds;
  return {
    generator: result.generator,
    body_bytes: request.body.length,
    requests_per_second: Math.round(perSecond),
    events_per_second: Math.round(perSecond * variant.events),
    refused: result.refused,
    p50_ms: round(result.p50Ms),
    p99_ms: round(result.p99Ms),
    p999_ms: round(result.p999Ms),
    cpu_us_per_request: round(cpuUs),
  };
}

const WARM_UP_SECONDS = 5;
/** Of all different requests. */
const MOST_BYTES = 100e6;

/**
 * Different requests at shares of that rate, from when each was due. What comes in bursts, and what stands still for a while, shows here and not
 * in the closed loop, which sends nothing meanwhile.
 */
async function openLoop(
  { port, pid }: Measured,
  variant: Variant,
  { rates, different, seconds, connections, dir }: LoadSettings,
  closedPerSecond: number,
): Promise<{ [figure: string]: number }> {
  const figures: { [figure: string]: number } = {};
  const first = requestOf(variant, 0);
  const count = Math.min(different, Math.ceil(MOST_BYTES / first.body.length));
  for (const share of rates) {
    // Signed anew each time: signatures of today's time are good for minutes.
    const requests = Array.from({ length: count }, (_, n) => requestOf(variant, n));
    const file = await keepRequests(dir, requests);
    const perSecond = Math.round(closedPerSecond * share);
    const before = cpuSecondsOf(pid);
    const found = await generateOpenLoop(port, file, { perSecond, seconds, connections, dir });
    const cpuUs = ((cpuSecondsOf(pid) - before) * 1e6) / found.asked;
    const name = `at_${Math.round(share * 100)}_percent`;
    Object.assign(figures, {
      [`${name}_requests_per_second`]: perSecond,
      [`${name}_refused`]: found.refused,
      [`${name}_p50_ms`]: round(found.p50Ms),
      [`${name}_p99_ms`]: round(found.p99Ms),
      [`${name}_p999_ms`]: round(found.p999Ms),
      [`${name}_max_ms`]: round(found.maxMs),
      [`${name}_most_waiting`]: found.mostWaiting,
      [`${name}_cpu_us_per_request`]: round(cpuUs),
    });
  }
  return figures;
}

/** Number n: other numbers have other ids and recipients. */
function requestOf({ signer, events }: Variant, n: number): EspRequest {
  const body = JSON.stringify(Array.from({ length: events }, (_, i) => eventOf(signer.esp, n * events + i)));
  return signer.sign({ body, at: Date.now(), url: pathOf(signer) });
}

/** About 620 bytes each, so that five make 3 kB. */
function eventOf(esp: string, n: number): object {
  const common = { timestamp: Math.floor(Date.now() / 1000) - (n % 3_600), event: 'delivered' };
  return {
    ...(esp === 'sendgrid' ? common : { type: 'delivered', occurred_at: new Date().toISOString() }),
    email: `recipient${n}@mail.example`,
    recipient: `recipient${n}@mail.example`,
    'smtp-id': `<${randomBytes(12).toString('hex')}@sender.example>`,
    sg_event_id: randomBytes(18).toString('base64url'),
    sg_message_id: `${randomBytes(11).toString('base64url')}.filter0001.16648.5515E0B88.${n}`,
    category: ['newsletter', 'autumn'],
    response: '250 2.0.0 OK  1790000000 d2e1a72fcca58-71b2c5f0a2csi3187234b3a.331 - gsmtp',
    ip: '203.0.113.7',
    tls: 1,
    asm_group_id: 11_342,
    campaign: 'autumn-sale',
    order: 'A-77312',
    note: 'x'.repeat(60),
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
