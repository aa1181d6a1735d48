import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRandom } from '@email-events/dev/simulate';
import { afterEach, expect, test } from 'vitest';
import { Account, Client } from './account.ts';
import { ATTACKS, type AttackContext } from './attacks/index.ts';
import { GuardedCrm, UNBEARABLE } from './crm.ts';
import { Honest } from './honest.ts';
import { sendHostile } from './hostile.ts';
import { sendShops } from './shops.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Answers 200 to everything, with an id for each, and keeps how many requests came for each source. */
async function startIngress() {
  const received = new Map<string, number>();
  let number = 0;
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      const source = /email-events\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
      received.set(source, (received.get(source) ?? 0) + 1);
      response.writeHead(200, { 'x-request-id': `r${number++}` }).end();
    });
  });
  const origin = await listen(server);
  return { origin, received };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientOf(origin: string): Client {
  const client = new Client(origin, 8);
  closing.push(() => client.close());
  return client;
}

test('every attack is dealt, each at several ESPs, and honest mail is known ahead', async () => {
  const { origin, received } = await startIngress();
  const [hostile, leaked] = [
    await Account.create('hostile', { suppresses: 'own-streams' }),
    await Account.create('leaked', { suppresses: 'all' }),
  ];
  const honest = new Honest({
    ...{ baseUrl: origin, credentials: undefined as never, esps: ['sendgrid', 'ses'], seed: 1 },
    ...{ requestsPerSecond: 5, runId: 'unit', events: 500 },
  });
  let number = 0;
  const context: AttackContext = {
    ...{ hostile, leaked, random: createRandom(1), run: 'unit' },
    next: () => number++,
    victim: () => honest.victim(number),
    ahead: () => honest.ahead(),
    overheard: () => undefined,
  };
  const enough = new AbortController();
  const dealt = new Set<string>();
  const small = ATTACKS.filter(({ name }) => !/\d{2},000|kB|MB|bomb/.test(name));
  const attacks = small.map((attack) => ({
    ...attack,
    blow: (esp: (typeof attack.esps)[number], of: AttackContext) => {
      if (dealt.add(attack.name).size === small.length) enough.abort();
      return attack.blow(esp, of);
    },
  }));
  const { tallies, taken } = await sendHostile({
    ...{ attacks, context, client: clientOf(origin), rate: 100_000, concurrency: 8 },
    ...{ random: createRandom(2), enough: enough.signal },
  });
  const sent = tallies.reduce((sum, { requests }) => sum + requests, 0);
  expect(sent).toBe([...received.values()].reduce((sum, n) => sum + n, 0));
  expect(taken.size).toBe(sent);
  // Without an honest request there is nothing to replay.
  const never = tallies.filter(({ requests }) => requests === 0).map(({ attack }) => attack.name);
  expect(never.filter((name) => !/honest (?:token|request once)/.test(name))).toEqual([]);
  expect(received.get('hostile-sendgrid')).toBeGreaterThan(0);
  expect(honest.victim(3)).toMatch(/unit.*@/i);
});

test('both shops tell the same ids, and say what the CRM cannot take', async () => {
  const { origin } = await startIngress();
  const shops = [
    await Account.create('shop-a', { suppresses: 'all' }),
    await Account.create('shop-b', { suppresses: 'all' }),
  ];
  const { signal } = new AbortController();
  const sent = await sendShops(shops, clientOf(origin), { runId: 'unit', count: 4, everyMs: 0, signal });
  expect(sent.map(({ ids }) => ids[0])).toEqual(
    [1_001, 1_001, 1_002, 1_002, 1_003, 1_003, 1_004, 1_004].map((n) => `order-${n}`),
  );
  expect(new Set(sent.map(({ recipient }) => recipient)).size).toBe(8);
  expect(sent.map(({ unbearable }) => unbearable ?? '')).toEqual([
    ...['', '', 'recipient', 'recipient', 'text', 'text', '', ''],
  ]);
});

test('the CRM’s firewall refuses a text, the CRM fails of a recipient, all else passes', async () => {
  const behind = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(202).end(request.url));
  });
  const origin = await listen(behind);
  const crm = await GuardedCrm.start();
  closing.push(() => crm.close());
  crm.standBefore(origin);
  const post = async (body: object) =>
    (await fetch(crm.url, { method: 'POST', body: JSON.stringify(body) })).status;
  expect(await post({ recipient: 'ann@example.com' })).toBe(202);
  expect(await post({ recipient: 'bob@example.com', detail: '550 <script>x</script>' })).toBe(403);
  expect(await post({ recipient: `${UNBEARABLE}1@example.com` })).toBe(500);
  expect((await fetch(crm.url, { method: 'HEAD' })).status).toBe(202);
  expect(crm.counts).toEqual({ passed: 1, blocked: 1, failed: 1 });
});
