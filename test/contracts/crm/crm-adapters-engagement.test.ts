import { CrmError, crms, type EngagementAdapter, type Instants } from '@email-events/sink-crm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openWorld, playableCrms, settingsOf, suppression } from './crm-world.ts';

/**
 * What every CRM that can be told of engagement keeps to: the newest wins in any order, nobody is made, nobody is subscribed or suppressed
 * by it, and what it is told it has.
 */
const { signal } = new AbortController();
const playable = await playableCrms();
const engaged = playable.filter(({ crm }) => crm.engagementScopes !== undefined);
const ADA = 'ada@example.com';

/** A second, which is as fine as some CRMs keep it. */
const at = (second: number) => 1_760_000_000_000 + second * 1_000;

type Subject = (typeof playable)[number];

async function open(subject: Subject) {
  const world = await openWorld(subject);
  const { played, server } = world;
  const access = { ...played.settings(server.base), timeoutMs: 10_000 };
  const settings = settingsOf(subject.crm.name, { ...access, engagement: {} });
  const adapter = subject.crm.connectEngagement(settings, Date.now);
  if (!adapter) throw new Error('no engagement');
  return { ...world, engagement: adapter, settings };
}

async function tell(adapter: EngagementAdapter, recipient: string, instants: Instants) {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      return await adapter.engage({ recipient, instants }, signal);
    } catch (error) {
      if (!(error instanceof CrmError)) throw error;
    }
  }
  throw new Error('still not told');
}

test('what an adapter declares of engagement is what it has', () => {
  for (const { crm } of playable)
    expect([crm.name, crm.engagementScopes !== undefined]).toEqual([
      crm.name,
      typeof crm.facts.capabilities?.engagement === 'string',
    ]);
  expect(engaged.length).toBeGreaterThan(0);
});

test('where it cannot be told, the configuration says so', () => {
  const crm = crms.find(({ engagementScopes }) => engagementScopes === undefined);
  const subject = playable.find(({ name }) => name === crm?.name);
  if (!crm || !subject) return;
  const settings = settingsOf(crm.name, {
    ...subject.harness.play().settings('http://127.0.0.1:1'),
    engagement: {},
  });
  expect(crm.problems(settings)).toEqual([
    { path: 'sinks.crm.engagement', message: `${crm.title} cannot be told of engagement` },
  ]);
});

describe.each(engaged)('$name', (subject) => {
  test('of instants in any order, with answers that get lost, it holds the newest of each', async () => {
    const step = fc.record({
      instants: fc.record(
        { delivered: fc.nat(20).map(at), opened: fc.nat(20).map(at), clicked: fc.nat(20).map(at) },
        { requiredKeys: [] },
      ),
      fault: fc.constantFrom(undefined, 'lost' as const, 'cut' as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const { played, server, engagement } = await open(subject);
        played.importContact?.(ADA);
        const newest: Record<string, number> = {};
        for (const { instants, fault } of steps) {
          let left = fault ? 1 : 0;
          server.faultOfNext = () => (left-- > 0 ? fault : undefined);
          await tell(engagement, ADA, instants);
          for (const [name, instant] of Object.entries(instants))
            newest[name] = Math.max(newest[name] ?? 0, instant);
        }
        expect(played.engaged?.(ADA)).toEqual(newest);
        await engagement.close();
        await server.close();
      }),
      { numRuns: 15 },
    );
  });

  test('its fields are found, and the check leaves no trace', async () => {
    const { engagement, server, played } = await open(subject);
    await engagement.check(signal);
    const reads = server.calls.every((call) => ['GET', 'HEAD'].includes(call.method) || played.reads?.(call));
    expect(reads).toBe(true);
  });

  test('who is no contact is not made one', async () => {
    const { played, engagement } = await open(subject);
    await engagement.engage({ recipient: 'nobody@example.com', instants: { opened: at(1) } }, signal);
    expect(played.recipients()).toEqual([]);
  });

  test('who is suppressed, or left, stays so; and so does everybody else', async () => {
    const { played, adapter, engagement } = await open(subject);
    played.importContact?.(ADA);
    played.importContact?.('bob@example.com');
    await adapter.put({ suppression: suppression(ADA, 'complaint:all'), recordedAt: 1 }, signal);
    const before = played.held(ADA);
    expect(before?.suppressed).toBe(true);
    const bob = played.held('bob@example.com');
    await tell(engagement, ADA, { opened: at(5) });
    await tell(engagement, 'bob@example.com', { clicked: at(6) });
    expect(played.held(ADA)).toEqual(before);
    expect(played.held('bob@example.com')).toEqual(bob);
    played.optOut?.('bob@example.com');
    const out = played.held('bob@example.com');
    await tell(engagement, 'bob@example.com', { clicked: at(7) });
    expect(played.held('bob@example.com')).toEqual(out);
  });
});
