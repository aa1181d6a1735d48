import type { Answer, CrmHarness, Fault } from '@email-events/sink-crm/testing';
import { describe, expect, test } from 'vitest';
import { batch, openWorld, playableCrms, suppression, type World, writeUntilDone } from './crm-world.ts';

/** The promises of every CRM's adapter, in its sink, about a CRM that fails. The harness says how the CRM does it. */
const { signal } = new AbortController();
const playable = await playableCrms();

const GIVEN_UP_MS = 20_000;
const ADA = 'ada@example.com';
const BOB = 'bob@example.com';
const DELIVERED = { outcome: 'delivered' };
const ada = suppression(ADA, 'hard_bounce:all');
const bob = suppression(BOB, 'complaint:all');

/** How the CRM refuses credentials, one recipient, and too many calls. */
function answersOf(harness: CrmHarness) {
  const refused = harness.refused ?? [{ status: 401 }, { status: 403 }];
  const rejected = harness.rejected ?? [{ status: 400 }, { status: 422 }];
  const throttled =
    harness.throttled ??
    ((seconds: number) => ({
      answer: { status: 429, headers: { 'retry-after': String(seconds) } },
      afterMs: seconds * 1_000,
    }));
  return { refused, rejected, throttled };
}

describe.each(playable)('$name', (subject) => {
  const { harness } = subject;
  const { refused, rejected, throttled } = answersOf(harness);

  test('wrong credentials are refused, and told from everything else', async () => {
    const secrets = harness.play().wrongSecrets;
    const { played, adapter } = await openWorld(subject, { secrets });
    await expect(adapter.put({ suppression: ada, recordedAt: 1 }, signal)).rejects.toMatchObject({
      failure: 'misconfigured',
      code: 'SINK_CRM_UNAUTHORIZED',
    });
    expect(played.recipients()).toEqual([]);
  });

  test.each(refused)('$status stops all calls until the credentials are put right', async (answer) => {
    let now = Date.now();
    const { server, sink, played } = await openWorld(subject, { now: () => now });
    await sink.check(signal);
    server.fault = answer;
    const code = 'SINK_CRM_UNAUTHORIZED';
    expect(await sink.write(batch(ada, bob), signal)).toMatchObject([
      { outcome: 'retry', code },
      { outcome: 'retry', code },
    ]);
    expect(sink.problem()).toBe(code);
    const { length } = server.calls;
    await sink.write(batch(ada, bob), signal);
    expect(server.calls).toHaveLength(length);
    server.fault = undefined;
    const verdicts = await writeUntilDone(sink, batch(ada, bob), () => {
      now += 2_000;
    });
    expect(verdicts).toEqual([DELIVERED, DELIVERED]);
    expect(sink.problem()).toBeUndefined();
    expect(played.held(ADA)?.suppressed).toBe(true);
  });

  test('too many calls: none for as long as the CRM says, for nobody', async () => {
    let now = Date.now();
    const { server, sink, played } = await openWorld(subject, { now: () => now });
    const { answer, afterMs } = throttled(7);
    await sink.check(signal);
    server.fault = answer;
    const [verdict] = await sink.write(batch(ada), signal);
    // Where it does not say how long, it is by chance, and a second at most the first time.
    const waitMs = afterMs ?? (verdict?.outcome === 'retry' ? verdict.afterMs : undefined) ?? Number.NaN;
    expect(verdict).toEqual({ outcome: 'retry', code: 'SINK_CRM_THROTTLED', afterMs: waitMs });
    if (afterMs === undefined) expect(waitMs).toBeLessThanOrEqual(1_000);
    server.fault = undefined;
    const { length } = server.calls;
    now += waitMs - 1;
    expect(await sink.write(batch(bob), signal)).toMatchObject([{ outcome: 'retry', afterMs: 1 }]);
    expect(server.calls).toHaveLength(length);
    now += 1;
    expect(await writeUntilDone(sink, batch(ada, bob))).toEqual([DELIVERED, DELIVERED]);
    expect(played.recipients().sort()).toEqual([ADA, BOB]);
    expect(sink.problem()).toBeUndefined();
  });

  test.each([
    [{ status: 500 }, 'SINK_CRM_UNAVAILABLE'],
    [{ status: 502 }, 'SINK_CRM_UNAVAILABLE'],
    [{ status: 503 }, 'SINK_CRM_UNAVAILABLE'],
    [{ status: 408 }, 'SINK_CRM_UNAVAILABLE'],
    ['cut', 'SINK_CRM_UNREACHABLE'],
    ['lost', 'SINK_CRM_UNREACHABLE'],
  ] as const)('%j: the state is tried again, and is there once', async (fault, code) => {
    await arrivesAfter(fault, code, await openWorld(subject));
  });

  test.each(rejected)('$status to one recipient makes that one a dead letter', async (answer) => {
    const { server, sink, played } = await openWorld(subject);
    server.faultsOf.set(ADA, answer);
    const cleo = suppression('cleo@example.com');
    expect(await sink.write(batch(bob, ada, cleo), signal)).toMatchObject([
      DELIVERED,
      { outcome: 'dead-letter', code: 'SINK_CRM_REJECTED' },
      DELIVERED,
    ]);
    expect(played.held(ADA)).toBeUndefined();
    expect(played.held(BOB)?.suppressed).toBe(true);
    expect(sink.problem()).toBeUndefined();
  });

  test('a redirect is never followed', async () => {
    const { server, adapter } = await openWorld(subject);
    server.fault = { status: 307, headers: { location: `${server.base}/elsewhere` } };
    await expect(adapter.put({ suppression: ada, recordedAt: 1 }, signal)).rejects.toMatchObject({
      code: 'SINK_CRM_REDIRECTED',
    });
    expect(server.calls.some(({ url }) => url.pathname === '/elsewhere')).toBe(false);
  });

  test('a caller that gives up gets its own reason at once', { timeout: GIVEN_UP_MS }, async () => {
    const { server, adapter } = await openWorld(subject, { timeoutMs: 10 * GIVEN_UP_MS });
    server.fault = 'silent';
    const giveUp = new AbortController();
    const put = adapter.put({ suppression: ada, recordedAt: 1 }, giveUp.signal);
    const stopping = expect(put).rejects.toThrow('stopping');
    await expect.poll(() => server.calls.length, { timeout: GIVEN_UP_MS }).toBe(1);
    giveUp.abort(new Error('stopping'));
    await stopping;
  });
});

// These wait until a call has timed out, so all CRMs wait at once.
describe.concurrent.each(playable)('$name, with calls that time out', (subject) => {
  const { refused, rejected, throttled } = answersOf(subject.harness);

  test.for(['silent', 'endless'] as const)(
    '%j: the state is tried again, and is there once',
    async (fault, scope) => {
      const world = await openWorld(subject, { timeoutMs: 3_000, scope });
      await arrivesAfter(fault, 'SINK_CRM_TIMEOUT', world);
    },
  );

  test('no error, verdict or log line holds a secret or an address, even if the CRM repeats them', async (scope) => {
    const answers = [...refused, ...rejected, throttled(0).answer, { status: 500 }, { status: 302 }];
    const said: string[] = [];
    for (const fault of [...answers, 'cut', 'silent'] as const) {
      // A new sink for each: one that was refused makes no further call.
      const { server, sink, adapter, lines, note, settings } = await openWorld(subject, {
        timeoutMs: 3_000,
        scope,
      });
      const secrets = settings.secrets.map((secret) => secret.reveal());
      const body = JSON.stringify({ error: `${ADA} ${secrets}` });
      const echo: Answer['headers'] = { 'x-echo': encodeURIComponent(body) };
      server.fault =
        typeof fault === 'object' ? { ...fault, body, headers: { ...fault.headers, ...echo } } : fault;
      note(await adapter.put({ suppression: ada, recordedAt: 1 }, signal).catch((error: unknown) => error));
      note(await adapter.check(signal).catch((error: unknown) => error));
      note(await sink.write(batch(ada), signal));
      for (const secret of [ADA, ...secrets]) expect(lines.join('\n')).not.toContain(secret);
      said.push(...lines);
    }
    for (const code of ['REJECTED', 'UNAUTHORIZED', 'UNAVAILABLE', 'TIMEOUT', 'UNREACHABLE'])
      expect(said.join('\n')).toContain(`SINK_CRM_${code}`);
  });
});

async function arrivesAfter(fault: Fault, code: string, { server, sink, played }: World): Promise<void> {
  // Else the first call would be a check.
  await sink.check(signal);
  server.fault = fault;
  expect(await sink.write(batch(ada), signal)).toEqual([{ outcome: 'retry', code }]);
  if (fault === 'lost') expect(played.held(ADA)?.suppressed).toBe(true);
  else expect(played.recipients()).toEqual([]);
  server.fault = undefined;
  expect(await sink.write(batch(ada), signal)).toEqual([DELIVERED]);
  expect(played.held(ADA)?.suppressed).toBe(true);
  expect(played.recipients()).toEqual([ADA]);
}
