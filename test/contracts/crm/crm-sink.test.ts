import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, Registry, Secret, type Sink } from '@email-events/core';
import { type Fault, startReceiver } from '@email-events/dev/receiver';
import type { Suppression } from '@email-events/schemas';
import {
  type CrmAdapter,
  CrmError,
  createCrmSink,
  createHttpAdapter,
  type RecipientState,
  readPatchVerify,
} from '@email-events/sink-crm';
import { afterEach, describe, expect, test } from 'vitest';
import { deliver, newestStates, seeded, suppressionLog } from './topic.ts';

const SECRET = `whsec_${Buffer.alloc(24, 5).toString('base64')}`;
const log = createLogger('crm-contract', 'silent');

/** A CRM that misbehaves, as the contract sees it. */
interface Harness {
  newAdapter(): CrmAdapter;
  /** Lets it misbehave for a while, restarts it now and then. */
  disturb(): Promise<void>;
  /** From now on it behaves. */
  heal(): Promise<void>;
  /** The CRM's contents: recipient → whether nothing may be sent, and, where it keeps it, the event behind it. */
  held(): Promise<Map<string, { suppressed: boolean; event_id?: string }>>;
  faults(): number;
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The local receiver behind signed HTTP: it refuses stale states itself. */
async function signedHttp(random: () => number) {
  const dataDir = await mkdtemp(join(tmpdir(), 'crm-contract-'));
  const start = (port: number) => startReceiver({ host: '127.0.0.1', port, secrets: [SECRET], dataDir });
  let receiver = await start(0);
  const { port } = receiver;
  const base = `http://127.0.0.1:${port}`;
  cleanups.push(async () => {
    await receiver.stop();
    await rm(dataDir, { recursive: true });
  });
  const plan = (body: object) =>
    fetch(`${base}/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  let faults = 0;
  const harness: Harness = {
    newAdapter: () =>
      createHttpAdapter({
        url: `${base}/suppressions`,
        secrets: [new Secret(SECRET)],
        timeoutMs: 60,
        concurrency: 4,
        now: Date.now,
      }),
    async disturb() {
      if (random() < 0.1) {
        await receiver.stop();
        receiver = await start(port);
      }
      const next = Array.from({ length: 12 }, () => pick(HTTP_FAULTS, random));
      faults += next.filter(({ kind }) => kind !== 'none').length;
      const { status } = await plan({ clear: true, next });
      expect(status).toBe(200);
    },
    async heal() {
      await plan({ clear: true });
    },
    async held() {
      const response = await fetch(`${base}/suppressions?limit=1000`);
      const { suppressions } = (await response.json()) as { suppressions: Suppression[] };
      return new Map(suppressions.map((state) => [state.recipient, state]));
    },
    faults: () => faults,
  };
  const applied = async () =>
    (await readFile(join(dataDir, 'suppressions.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Suppression & { recorded_at: number });
  return { harness, applied };
}

const HTTP_FAULTS: readonly Fault[] = [
  { kind: 'none' },
  { kind: 'none' },
  { kind: 'none' },
  { kind: 'none' },
  { kind: 'status', status: 429, retryAfter: '0' },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 500 },
  { kind: 'hang' },
  { kind: 'reset' },
  { kind: 'lost-acknowledgement' },
];

const pick = <T>(all: readonly T[], random: () => number): T => all[Math.floor(random() * all.length)] as T;

/** A CRM without a conditional write, reached by read → patch → read back; some writes do not hold. */
function plainContacts(random: () => number): Harness {
  const contacts = new Map<string, boolean>();
  let faults = 0;
  let healthy = false;
  const fails = (share: number) => {
    const hit = !healthy && random() < share;
    if (hit) faults++;
    return hit;
  };
  const access = {
    async difference({ suppression: { recipient, suppressed } }: RecipientState) {
      if (fails(0.1)) throw new CrmError('throttled', 'SINK_CRM_THROTTLED', '429', { afterMs: 1 });
      return contacts.get(recipient) === suppressed ? undefined : { recipient, suppressed };
    },
    async apply({ recipient, suppressed }: { recipient: string; suppressed: boolean }) {
      if (fails(0.15)) throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', '503');
      if (fails(0.15)) return;
      contacts.set(recipient, suppressed);
      if (fails(0.15)) throw new CrmError('unavailable', 'SINK_CRM_UNREACHABLE', 'acknowledgement lost');
    },
  };
  return {
    newAdapter: () => ({
      name: 'plain-contacts',
      check: async () => {},
      put: (state, signal) => readPatchVerify(access, state, signal),
      close: async () => {},
    }),
    disturb: async () => {},
    heal: async () => {
      healthy = true;
    },
    held: async () => new Map([...contacts].map(([recipient, suppressed]) => [recipient, { suppressed }])),
    faults: () => faults,
  };
}

async function converges(harness: Harness, random: () => number) {
  const records = suppressionLog(random, 25, 150);
  const newSink = (): Sink<Suppression> =>
    createCrmSink({
      adapter: harness.newAdapter(),
      concurrency: 4,
      dryRun: false,
      log,
      metrics: new Registry(),
      breakMs: 10,
      trialPauseMs: 5,
    });
  await harness.disturb();
  const { crashes } = await deliver({ log: records, random, newSink, between: () => harness.disturb() });
  await harness.heal();
  expect(crashes).toBeGreaterThan(0);
  expect(harness.faults()).toBeGreaterThan(20);
  const held = await harness.held();
  const expected = newestStates(records);
  expect(held.size).toBe(expected.size);
  for (const [recipient, state] of expected) {
    expect(held.get(recipient)?.suppressed, recipient).toBe(state.suppressed);
    const event = held.get(recipient)?.event_id ?? state.event_id;
    expect(event, recipient).toBe(state.event_id);
  }
}

describe.each([1, 2, 3, 4])('seed %d', (seed) => {
  test('signed HTTP converges to the newest states, and no stale state is ever applied', async () => {
    const random = seeded(seed);
    const { harness, applied } = await signedHttp(random);
    await converges(harness, random);
    const versions = new Map<string, number>();
    for (const { recipient, recorded_at } of await applied()) {
      expect(recorded_at).toBeGreaterThanOrEqual(versions.get(recipient) ?? 0);
      versions.set(recipient, recorded_at);
    }
  });

  test('a CRM that is read, patched and read back converges to the newest states', async () => {
    const random = seeded(seed + 100);
    await converges(plainContacts(random), random);
  });
});
