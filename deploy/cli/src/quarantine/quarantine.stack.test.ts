import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applyTopics,
  createMetrics,
  decodeRawHeaders,
  type RunningService,
  readTopic,
  silentLog,
} from '@email-events/core';
import { createSigner, type Signer } from '@email-events/esps/accounts';
import { startIngress } from '@email-events/ingress';
import { type Quarantined, SecondLook } from '@email-events/ingress/quarantine';
import { topicCatalogue, topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileScope, vacantStack, waitFor } from '../../../../test/harness/stack.ts';
import { type PipelineConfig, pipelineConfig } from '../services.ts';
import { runBin } from '../testing.ts';
import { readQuarantine, releaseQuarantine } from './quarantine.ts';

const REQUESTS = 40;
const folder = mkdtempSync(join(tmpdir(), 'quarantine-'));
const shared = fileScope();
let right: Signer;
let ingress: RunningService;
let config: PipelineConfig;
let files: { readonly right: string; readonly wrong: string };

const bodyOf = (n: number) =>
  JSON.stringify([
    { email: `u${n}@example.com`, event: 'open', sg_event_id: `e${n}`, timestamp: 1_767_312_000 },
  ]);

/** Bodies on email.raw, in no order. */
async function released(): Promise<string[]> {
  const bodies: string[] = [];
  await readTopic(config.kafka, {
    ...{ topics: [topics.raw], from: 'beginning' },
    onRecord: ({ headers, value }) => {
      expect(decodeRawHeaders(headers)).toMatchObject({ source: 'shop', esp: 'sendgrid' });
      bodies.push(String(value));
    },
  });
  return bodies.sort();
}

const run = (...args: string[]) => runBin(args, { env: { EMAIL_EVENTS_HOME: folder } });

beforeAll(async () => {
  const stack = await vacantStack(shared.scope);
  right = await createSigner('sendgrid');
  const wrong = await createSigner('sendgrid');
  const fileOf = (name: string, { settings }: Signer) => {
    const file = join(folder, `${name}.yaml`);
    const shop = { esp: 'sendgrid', secrets: [`file:${join(folder, name)}`], quarantine: true };
    writeFileSync(join(folder, name), settings.secrets[0] ?? '');
    const { kafka, registry } = stack;
    const spool = { enabled: false };
    const quarantine = { requestsPerSecond: 1_000 };
    const ports = { ingress: { port: 0, adminPort: 0, spool, quarantine } };
    const partitions = { partitions: 2, rawPartitions: 2 };
    writeFileSync(file, JSON.stringify({ kafka, registry, topics: partitions, ...ports, sources: { shop } }));
    return file;
  };
  files = { right: fileOf('right', right), wrong: fileOf('wrong', wrong) };
  config = pipelineConfig.load(files.right, {}, { reads: [] });
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  const refusing = pipelineConfig.load(files.wrong, {}, { reads: [] });
  ingress = await startIngress({ config: refusing, log: silentLog, metrics: createMetrics('ingress') });
}, 120_000);
afterAll(async () => {
  await ingress?.stop();
  await shared.end();
  rmSync(folder, { recursive: true, force: true });
});

test('requests that our wrong secret refuses are held, and listed by source and reason', async () => {
  const url = `http://127.0.0.1:${ingress.ports.http}/webhooks/email-events/shop`;
  for (let n = 0; n < REQUESTS; n++) {
    const { headers, body } = right.sign({ body: bodyOf(n), at: Date.now() });
    const sent = { headers: headers as { [name: string]: string }, body: new Uint8Array(Buffer.from(body)) };
    expect((await fetch(url, { method: 'POST', ...sent })).status).toBe(401);
  }
  await waitFor('all of it is held', async () => {
    const [group] = await readQuarantine(config);
    return group?.held === REQUESTS;
  });
  const { code, out } = await run('quarantine', 'list', '--config', files.right);
  expect([code, out]).toEqual([0, expect.stringMatching(/shop +SIGNATURE_WRONG +40 /)]);
  const other = await run('quarantine', 'list', '--source', 'other', '--config', files.right);
  expect(other.out).toContain('nothing is in quarantine');
  expect(await released()).toEqual([]);
});

test('with the wrong secret, or a dry run, nothing is released', async () => {
  const still = await run('quarantine', 'release', '--config', files.wrong, '--json');
  expect([still.code, JSON.parse(still.out)]).toEqual([
    ...[1, { released: 0, refused: { SIGNATURE_WRONG: REQUESTS }, expired: 0, bySource: {} }],
  ]);
  const dry = await run('quarantine', 'release', '--config', files.right, '--dry-run');
  expect([dry.code, dry.out]).toEqual([
    0,
    expect.stringContaining(`${REQUESTS} requests would be released (shop 40)`),
  ]);
  expect(await released()).toEqual([]);
});

test('what would come too late for the dedupe window is not released', async () => {
  const look = new SecondLook(config);
  const now = Date.now() + config.topics.retention.seenDays * 86_400_000;
  const report = await releaseQuarantine(config, { look, now, dryRun: false });
  expect(report).toMatchObject({ released: 0, expired: REQUESTS });
  await look.close();
});

/** The real one, which does something else before the request of this number. */
function lookThat(before: number, does: () => unknown) {
  const look = new SecondLook(config);
  let looked = 0;
  return {
    close: () => look.close(),
    at: async (request: Quarantined) => {
      if (++looked === before) await does();
      return look.at(request);
    },
  };
}

test('a release that ends in the middle has released what was committed, and no more', async () => {
  const look = lookThat(25, () => {
    throw new Error('killed');
  });
  const options = { look, now: Date.now(), dryRun: false, perTransaction: 10 };
  await expect(releaseQuarantine(config, options)).rejects.toThrow('killed');
  await look.close();
  // After a commit its markers come to the partitions one by one.
  await waitFor('what was committed', async () => (await released()).length === 20);
  expect(await readQuarantine(config)).toMatchObject([{ held: REQUESTS - 20, released: 20 }]);
});

test('a release that is overtaken by another writes nothing more: each request is released once', async () => {
  const args = ['quarantine', 'release', '--config', files.right, '--json'];
  const look = lookThat(5, async () => {
    const { code, out } = await run(...args);
    expect([code, JSON.parse(out).released]).toEqual([0, REQUESTS - 20]);
  });
  const options = { look, now: Date.now(), dryRun: false };
  await expect(releaseQuarantine(config, options)).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
  await look.close();
  const last = await run(...args);
  expect([last.code, JSON.parse(last.out).released]).toEqual([0, 0]);
  const all = Array.from({ length: REQUESTS }, (_, n) => bodyOf(n)).sort();
  expect(await released()).toEqual(all);
  expect(await readQuarantine(config)).toMatchObject([{ source: 'shop', held: 0, released: REQUESTS }]);
});
