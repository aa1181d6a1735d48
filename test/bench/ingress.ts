import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createProvider, printProgress, type Stack, selectProvider } from '@email-events/dev/stack';
import type { EspRequest } from '@email-events/esps';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { publishResult, writeResult } from '../src/result.ts';
import { generateLoad, type LoadResult } from './ingress-load.ts';
import { pathOf, startIngressProcess } from './ingress-process.ts';

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
    const load = { connections: Number(values.connections), seconds: Number(values.seconds), dir };
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

type LoadSettings = { readonly connections: number; readonly seconds: number; readonly dir: string };

async function measure(variant: string, brokers: string[], load: LoadSettings, sizes: Sizes) {
  const spec = VARIANTS[variant];
  if (!spec) throw new Error(`no variant ${variant}; there are ${Object.keys(VARIANTS).join(', ')}`);
  const signer = await createSigner(spec.esp);
  const events = spec.events(sizes);
  const request = requestOf(signer, events);
  const ingress = await startIngressProcess(signer, brokers, load.dir);
  try {
    await generateLoad(ingress.port, { ...load, request, seconds: 5 });
    const before = await usageOf(ingress.admin);
    const peak = watchMemory(ingress.admin);
    const result = await generateLoad(ingress.port, { ...load, request });
    const after = await usageOf(ingress.admin);
    const cpuUs = ((after.cpuSeconds - before.cpuSeconds) * 1e6) / (result.accepted + result.refused);
    return figuresOf(variant, request, events, result, cpuUs, await peak());
  } finally {
    await ingress.stop();
  }
}

function figuresOf(
  variant: string,
  request: EspRequest,
  events: number,
  result: LoadResult,
  cpuUs: number,
  peakRssMb: number,
) {
  const perSecond = result.accepted / result.seconds;
  const figures = {
    generator: result.generator,
    body_bytes: request.body.length,
    requests_per_second: Math.round(perSecond),
    events_per_second: Math.round(perSecond * events),
    refused: result.refused,
    p50_ms: round(result.p50Ms),
    p99_ms: round(result.p99Ms),
    p999_ms: round(result.p999Ms),
    cpu_us_per_request: round(cpuUs),
    peak_rss_mb: peakRssMb,
  };
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${variant}_${name}`, value]));
}

function requestOf(signer: Signer, events: number): EspRequest {
  const body = JSON.stringify(Array.from({ length: events }, (_, i) => eventOf(signer.esp, i)));
  return signer.sign({ body, at: Date.now(), url: pathOf(signer) });
}

/** About 620 bytes each, so that five make 3 kB. */
function eventOf(esp: string, n: number): object {
  const common = { timestamp: Math.floor(Date.now() / 1000) - n, event: 'delivered' };
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

/** Looks every second; the function it returns stops and says the most it saw. */
function watchMemory(port: number): () => Promise<number> {
  let peak = 0;
  const look = async () => {
    peak = Math.max(peak, (await usageOf(port)).rssMb);
  };
  const timer = setInterval(() => void look().catch(() => {}), 1_000);
  return async () => {
    clearInterval(timer);
    await look();
    return peak;
  };
}

async function usageOf(port: number): Promise<{ cpuSeconds: number; rssMb: number }> {
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const value = (name: string) => {
    const line = metrics.split('\n').find((text) => text.startsWith(`${name}{`));
    return line === undefined ? Number.NaN : Number(line.slice(line.lastIndexOf(' ')));
  };
  return {
    cpuSeconds: value('process_cpu_seconds_total'),
    rssMb: Math.round(value('process_resident_memory_bytes') / 1e6),
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
