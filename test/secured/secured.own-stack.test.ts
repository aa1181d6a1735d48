import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { principals } from '@email-events/cli/access/principals';
import { startReceiver } from '@email-events/dev/receiver';
import type { Stack } from '@email-events/dev/stack';
import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline } from '../harness/pipeline.ts';
import type { LaunchedService, ServiceName } from '../harness/service-process.ts';
import { fileScope, startOwnStack, waitFor } from '../harness/stack.ts';
import { makeScramUsers, SESSION_MS, type SecuredAccess, securedBrokers } from './brokers.ts';
import { startHttpsFront } from './https-front.ts';
import { allow, forbid, rulesOf } from './rights.ts';

// Everything asks for credentials, by TLS with a certificate of a private authority, and every service has just the rights that
// `acl print` tells.
const file = fileScope();
const SERVICES: readonly ServiceName[] = [
  'ingress',
  'normalize',
  'events',
  'sink-clickhouse',
  'sink-crm',
  'lookup',
  'alerts',
];
const BASIC = 'postmark:correct-horse';
const TOKEN = 'a-token-for-look-ups-of-this-test';
const SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
const LONG_MS = 60_000;

let stack: Stack;
let access: SecuredAccess;
let world: Pipeline;
let crm: string;
const passwords = new Map<string, string>();
const running = new Map<ServiceName, LaunchedService>();

beforeAll(async () => {
  const prepared = await securedBrokers(file.scope);
  access = prepared.access;
  stack = await startOwnStack(file.scope, { secured: prepared.secured });
  const front = async (target: string) => {
    const credentials = { username: 'pipeline', password: randomUUID() };
    const { certificate } = access;
    const { url } = await startHttpsFront(file.scope, { certificate, target, ...credentials });
    return { url, ...credentials };
  };
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-secured-crm-'));
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secrets: [SECRET], dataDir });
  file.scope.onTestFinished(async () => {
    await receiver.stop();
    await rm(dataDir, { recursive: true });
  });
  crm = `http://127.0.0.1:${receiver.port}/suppressions`;
  const registry = new URL(stack.registry.url);
  const registryFront = await front(registry.origin);
  world = await startPipeline(file.scope, stack, {
    name: 'secured',
    through: {
      kafka: { brokers: [access.sasl] },
      registry: { ...registryFront, url: registryFront.url + registry.pathname },
      clickhouse: await front(stack.clickhouse.url),
    },
    settings: {
      topics: { partitions: 2, rawPartitions: 2 },
      sources: { postmark: { esp: 'postmark', secrets: [BASIC] } },
      sinks: {
        crm: { adminPort: 0, url: crm, secrets: [SECRET] },
        lookup: { port: 0, adminPort: 0, tokens: [TOKEN] },
      },
      alerts: { adminPort: 0, evaluateMs: 500 },
    },
  });
  const names = principals(world.config.kafka.groupPrefix, undefined, world.config).map(({ name }) => name);
  for (const name of names) passwords.set(name, randomUUID());
  await makeScramUsers(stack.kafka.brokers[0] ?? '', passwords);
  const { code, out } = await world.command('acl', 'print');
  expect(code).toBe(0);
  await allow(world.config.kafka, out);
}, 180_000);
afterAll(() => file.end());

/** As its user, by SCRAM over TLS. Only the authority's certificate is trusted beside the system's. */
function environmentOf(user: string, password = passwords.get(user) ?? '') {
  return {
    NODE_EXTRA_CA_CERTS: access.caFile,
    EMAIL_EVENTS_KAFKA_TLS_ENABLED: 'true',
    EMAIL_EVENTS_KAFKA_TLS_CA_FILE: access.caFile,
    EMAIL_EVENTS_KAFKA_SASL_MECHANISM: 'scram-sha-512',
    EMAIL_EVENTS_KAFKA_SASL_USERNAME: user,
    EMAIL_EVENTS_KAFKA_SASL_PASSWORD: password,
  };
}

function launch(service: ServiceName): LaunchedService {
  const launched = world.launch(service, { env: environmentOf(service) });
  running.set(service, launched);
  return launched;
}

const isReady = (service: ServiceName) => async () =>
  (await running.get(service)?.readiness())?.status === 200;

let bounces = 0;
/** A request as Postmark sends it. The address, when it was acknowledged. */
async function sendBounce(): Promise<string> {
  bounces++;
  const { http } = (await running.get('ingress')?.ready) ?? {};
  const address = `person-${bounces}@example.com`;
  const response = await fetch(`http://127.0.0.1:${http}/webhooks/email-events/postmark`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(BASIC).toString('base64')}`,
    },
    body: JSON.stringify({
      ...{ RecordType: 'Bounce', Type: 'HardBounce', TypeCode: 1, ID: bounces, MessageID: randomUUID() },
      ...{ Email: address, BouncedAt: new Date().toISOString(), Inactive: true, MessageStream: 'outbound' },
    }),
  });
  expect(response.status).toBe(200);
  return address;
}

async function isSuppressedAtCrm(address: string): Promise<boolean> {
  const response = await fetch(`${crm}/${address}`);
  return response.status === 200 && ((await response.json()) as { suppressed: boolean }).suppressed;
}

async function rowsOf(address: string): Promise<number> {
  const sql = 'SELECT count() AS n FROM email_events WHERE recipient = {address:String}';
  const [row] = await world.clickhouse.query<{ n: string }>(sql, { address });
  return Number(row?.n);
}

async function mayMail(address: string): Promise<boolean> {
  const { http } = (await running.get('lookup')?.ready) ?? {};
  const response = await fetch(`http://127.0.0.1:${http}/v1/may-mail?${new URLSearchParams({ address })}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  return ((await response.json()) as { mail: boolean }).mail;
}

async function arrivesEverywhere(address: string): Promise<void> {
  await waitFor(`${address} in ClickHouse`, async () => (await rowsOf(address)) === 1, LONG_MS);
  await waitFor(`${address} at the CRM`, () => isSuppressedAtCrm(address), LONG_MS);
  await waitFor(`${address} in look-ups`, async () => !(await mayMail(address)), LONG_MS);
}

test('each service does its work as its own user, with the rights that acl print tells, over the end of its sessions', async () => {
  for (const service of SERVICES) launch(service);
  for (const service of SERVICES) await waitFor(`${service} is ready`, isReady(service), LONG_MS);
  const until = performance.now() + 2 * SESSION_MS;
  do {
    await arrivesEverywhere(await sendBounce());
  } while (performance.now() < until);
  const windows = () => running.get('alerts')?.metric(/^email_events_alerts_windows\b/);
  await waitFor('alerts has judged them', async () => ((await windows()) ?? 0) > 0, LONG_MS);
  for (const [service, launched] of running) {
    expect(launched.isRunning, service).toBe(true);
    expect(launched.log(), service).not.toMatch(/AUTHORIZATION_FAILED|AUTHENTICATION_FAILED/);
  }
}, 180_000);

test('the commands of operators and deployers have the rights that they need', async () => {
  const as = (user: string, ...args: string[]) => world.commandWith(environmentOf(user), ...args);
  const added = await as('operator', 'suppressions', 'add', 'ann@example.com', '--why', 'asked for it');
  expect([added.code, added.err]).toEqual([0, expect.anything()]);
  await waitFor('ann at the CRM', () => isSuppressedAtCrm('ann@example.com'), LONG_MS);
  for (const command of [
    ['dlq', 'list'],
    ['suppressions', 'list'],
    ['backfill', '--from', '1h', '--dry-run'],
  ])
    expect((await as('operator', ...command)).code, command.join(' ')).toBe(0);
  expect((await as('deployer', 'topics', 'plan')).code).toBe(0);
  const refused = await as('reader', 'suppressions', 'add', 'bob@example.com', '--why', 'has no right to');
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain('AUTHORIZATION_FAILED');
}, 120_000);

test('a right that lacks is told by name, and nothing is lost', async () => {
  const normalize = running.get('normalize');
  const rules = rulesOf(world.config.kafka.groupPrefix, world.config, 'normalize').filter(
    ({ name }) => name === topics.raw,
  );
  expect(rules).toHaveLength(1);
  await forbid(world.config.kafka, rules);
  const address = await sendBounce();
  await waitFor('it is told', async () => normalize?.log().includes('TOPIC_AUTHORIZATION_FAILED'), LONG_MS);
  expect(await rowsOf(address)).toBe(0);
  await allow(world.config.kafka, rules);
  await normalize?.stop();
  launch('normalize');
  await arrivesEverywhere(address);
}, 120_000);

async function startTokenServer(subject: string) {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const server = createServer((_request, response) => {
    const now = Math.floor(Date.now() / 1_000);
    const claims = { sub: subject, iat: now - 10, exp: now + 60 };
    response.end(
      JSON.stringify({ access_token: `${part({ alg: 'none' })}.${part(claims)}.`, expires_in: 60 }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  file.scope.onTestFinished(() => new Promise((resolve) => void server.close(() => resolve())));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}

test('tokens, PLAIN and client certificates open the door; what is wrong with them does not', async () => {
  const { plain, client, mutual } = access;
  const plan = (env: { [name: string]: string }) => world.commandWith(env, 'topics', 'plan');
  const base = environmentOf('deployer');
  const of = (mechanism: string, username: string, password: string, more = {}) => ({
    ...{ ...base, EMAIL_EVENTS_KAFKA_SASL_MECHANISM: mechanism, EMAIL_EVENTS_KAFKA_SASL_USERNAME: username },
    ...{ EMAIL_EVENTS_KAFKA_SASL_PASSWORD: password, ...more },
  });
  const rules = rulesOf(world.config.kafka.groupPrefix, world.config, 'deployer');
  for (const user of [plain.username, 'token-user', client.principal])
    await allow(world.config.kafka, rules, user);

  expect(await plan(of('plain', plain.username, plain.password))).toMatchObject({ code: 0 });
  const tokenUrl = await startTokenServer('token-user');
  const token = { EMAIL_EVENTS_KAFKA_SASL_TOKEN_URL: tokenUrl };
  expect(await plan(of('oauthbearer', 'id', 'secret', token))).toMatchObject({ code: 0 });
  const certificate = {
    NODE_EXTRA_CA_CERTS: access.caFile,
    EMAIL_EVENTS_KAFKA_BROKERS: mutual,
    EMAIL_EVENTS_KAFKA_TLS_ENABLED: 'true',
    EMAIL_EVENTS_KAFKA_TLS_CA_FILE: access.caFile,
  };
  const own = {
    EMAIL_EVENTS_KAFKA_TLS_CERT_FILE: client.certFile,
    EMAIL_EVENTS_KAFKA_TLS_KEY_FILE: client.keyFile,
  };
  expect(await plan({ ...certificate, ...own })).toMatchObject({ code: 0 });

  const elsewhere = { EMAIL_EVENTS_KAFKA_SASL_TOKEN_URL: `${crm}/nobody@example.com` };
  for (const [wrong, what] of [
    [of('plain', plain.username, 'wrong'), 'SASL_AUTHENTICATION_FAILED'],
    [of('scram-sha-512', 'deployer', 'wrong'), 'SASL_AUTHENTICATION_FAILED'],
    [of('oauthbearer', 'id', 'secret', elsewhere), 'KAFKA_TOKEN_REFUSED'],
    [certificate, 'KAFKA_UNREACHABLE'],
    [{ ...base, EMAIL_EVENTS_KAFKA_TLS_CA_FILE: client.certFile }, 'KAFKA_UNREACHABLE'],
  ] as const) {
    const { code, err } = await plan(wrong);
    expect([code, JSON.parse(err).error.code]).toEqual([1, what]);
  }
}, 120_000);
