import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCredentials, type SenderCredentials } from './credentials.ts';
import { createPlan, type PlanOptions } from './plan.ts';
import {
  type Answer,
  runSimulation,
  type SendOptions,
  sendPlan,
  sendRequests,
  signedRequests,
} from './send.ts';
import type { Progress } from './tally.ts';
import { renderSummary } from './tally.ts';

const OPTIONS = { seed: 5, events: 600, startTime: Date.UTC(2026, 5, 1, 12), runId: 'run1' };

let credentials: SenderCredentials;
beforeAll(async () => {
  credentials = await makeCredentials();
});

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

type Handler = (request: IncomingMessage, body: string, count: number) => number;

/** A stand-in for the ingress; status 0 breaks the connection. */
async function ingress(handler: Handler): Promise<{ baseUrl: string; bodies: string[] }> {
  const bodies: string[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    bodies.push(body);
    const status = handler(request, body, bodies.length);
    if (status === 0) {
      request.socket.destroy();
      return;
    }
    response.writeHead(status, { 'x-request-id': `id-${bodies.length}` }).end();
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

async function simulate(
  handler: Handler,
  options: Partial<PlanOptions> = {},
  sending: Partial<SendOptions> = {},
) {
  const plan = createPlan({ ...OPTIONS, ...options });
  const { baseUrl, bodies } = await ingress(handler);
  const answers: Answer[] = [];
  const onAnswer = (answer: Answer) => answers.push(answer);
  const result = await sendPlan(plan, { baseUrl, credentials, concurrency: 4, onAnswer, ...sending });
  return { plan, result, bodies, answers };
}

describe('sending', () => {
  it('begins nothing more once it is enough, and delivers what is under way as if nothing had happened', async () => {
    const enough = new AbortController();
    const { plan, result, answers } = await simulate(
      (_request, _body, count) => {
        if (count === 20) enough.abort();
        // Each of the last ones must be tried again, which an abort would not do.
        return count >= 17 && count <= 20 ? 503 : 200;
      },
      { invalid: 0 },
      { enough: enough.signal },
    );
    expect(result).toMatchObject({ unexpected: 0, aborted: false, retries: 4 });
    expect(answers.length).toBeLessThan([...plan.requests()].length / 2);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(result.expected.emitted).toBeGreaterThan(0);
  });

  it('tells each attempt, also those that are repeated', async () => {
    const statuses: number[] = [];
    const { result } = await simulate(
      (_request, _body, count) => (count === 3 ? 503 : 200),
      { events: 50, invalid: 0 },
      {
        onAttempt: ({ status, tookMs }) => {
          if (tookMs > 0) statuses.push(status);
        },
      },
    );
    expect(result.retries).toBe(1);
    expect(statuses).toHaveLength(result.requests + 1);
    expect(statuses.filter((status) => status !== 200)).toEqual([503]);
  });

  it('sends every request and expects what was acknowledged', async () => {
    const { plan, result, answers } = await simulate(() => 200, { invalid: 0 });
    const requests = [...plan.requests()];
    expect(result).toMatchObject({
      requests: requests.length,
      unexpected: 0,
      retries: 0,
      uncertain: 0,
      aborted: false,
    });
    expect(answers.map(({ planned }) => planned.index).sort((a, b) => a - b)).toEqual([...requests.keys()]);
    expect(answers.every(({ requestId }) => requestId?.startsWith('id-'))).toBe(true);
    const { received, emitted, duplicates, deadLettered } = result.expected;
    expect(emitted).toBeGreaterThanOrEqual(600);
    expect(duplicates).toBeGreaterThan(0);
    expect(received).toBe(emitted + duplicates + deadLettered);
    const byEsp = Object.values(result.byEsp);
    expect(byEsp.reduce((sum, { events }) => sum + events, 0)).toBe(received);
    expect(byEsp.reduce((sum, { requests: count }) => sum + count, 0)).toBe(requests.length);
  });

  it('counts nothing that was not acknowledged, and says what was answered otherwise than expected', async () => {
    const { plan, result } = await simulate(({ url }) => (url?.endsWith('/mailgun') ? 401 : 200), {
      invalid: 0,
    });
    const refused = [...plan.requests()].filter(({ esp }) => esp === 'mailgun').length;
    expect(result.expected.events.mailgun).toBeUndefined();
    expect(result.expected.events.ses?.queued).toBeGreaterThan(0);
    expect(result.unexpected).toBe(refused);
    expect(result.byEsp.mailgun).toMatchObject({
      events: 0,
      unexpected: refused,
      statuses: { 401: refused },
    });
    expect(result.surprises[0]).toMatchObject({ esp: 'mailgun', kind: 'events', expected: 200, got: 401 });
    expect(await renderSummary(result)).toContain('401 instead of 200');
  });

  it('comes again on "later" and after a broken connection, with the same bytes', async () => {
    const handler: Handler = (_request, _body, count) => (count === 2 ? 503 : count === 3 ? 0 : 200);
    const { plan, result, bodies } = await simulate(
      handler,
      { events: 12, invalid: 0, esps: ['postmark'] },
      { concurrency: 1 },
    );
    expect(result).toMatchObject({ unexpected: 0, retries: 2, uncertain: 2 });
    expect(bodies.length).toBe([...plan.requests()].length + 2);
    expect(bodies[2]).toBe(bodies[1]);
    expect(bodies[3]).toBe(bodies[1]);
  });

  it('gives up in the end', async () => {
    const { result } = await simulate(
      () => 503,
      { events: 4, esps: ['ses'], duplicates: 0, invalid: 0 },
      { attempts: 2 },
    );
    expect(result.unexpected).toBe(result.requests);
    expect(result.retries).toBe(result.requests);
    expect(result.expected).toMatchObject({ received: 0, emitted: 0, duplicates: 0 });
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    const handler: Handler = (_request, _body, count) => {
      if (count === 5) stop.abort();
      return 200;
    };
    const { result, bodies } = await simulate(handler, {}, { concurrency: 2, signal: stop.signal });
    expect(result.aborted).toBe(true);
    expect(bodies.length).toBeLessThan(10);
    expect(result.requests).toBe(bodies.length);
  });

  it('tells when a request was due, however late it was sent', async () => {
    const { answers } = await simulate(
      (_request, _body, count) => (count === 3 ? 503 : 200),
      { events: 20, invalid: 0, duplicates: 0, esps: ['postmark'] },
      { concurrency: 1, requestsPerSecond: 1_000 },
    );
    const [first, , third, ...behind] = answers;
    if (!first || !third || behind.length < 10) throw new Error('too few answers');
    // One a millisecond, in whole ones.
    for (const [i, { intendedAt }] of answers.entries())
      expect(Math.abs(intendedAt - first.intendedAt - i)).toBeLessThanOrEqual(1);
    expect(answers.every(({ intendedAt }) => Number.isInteger(intendedAt))).toBe(true);
    const later = ({ sentAt, intendedAt }: Answer) => sentAt - first.sentAt - (intendedAt - first.intendedAt);
    // The third came again after 200 ms, and the others waited behind it for the only connection.
    expect(later(third)).toBeGreaterThan(195);
    for (const answer of behind) expect(later(answer)).toBeGreaterThan(150);
  });

  it('sends what was signed before, to the sources named', async () => {
    const plan = createPlan({ ...OPTIONS, esps: ['postmark', 'mailgun'], invalid: 0 });
    const sources = { postmark: 'pm-eu' };
    const prepared = [...signedRequests(plan, { credentials, sources, now: Date.now })];
    const paths = new Set<string | undefined>();
    const { baseUrl, bodies } = await ingress(({ url }) => {
      paths.add(url);
      return 200;
    });
    const result = await sendRequests(plan, prepared, { baseUrl, credentials });
    expect(result.requests).toBe(prepared.length);
    expect(paths).toEqual(new Set(['/webhooks/email-events/pm-eu', '/webhooks/email-events/mailgun']));
    expect(bodies.sort()).toEqual(prepared.map(({ wire }) => wire.body.toString()).sort());
  });

  it('reports progress and marks a run without an id by its time', async () => {
    const seen: Progress[] = [];
    const { baseUrl } = await ingress(() => 200);
    const options = { baseUrl, credentials, events: 100, startTime: 1_780_000_000_000, invalid: 0 };
    const result = await runSimulation({ ...options, onProgress: (progress) => seen.push(progress) });
    expect(result.runId).toBe(`r${(1_780_000_000_000).toString(36)}`);
    expect(seen.at(-1)).toMatchObject({
      requests: result.requests,
      distinct: result.expected.emitted,
      total: 100,
    });
    const text = await renderSummary(result);
    expect(text).toContain(`Run ${result.runId}`);
    expect(text).toContain('delivered');
  });
});
