import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openWorld, playableCrms, suppression, type World } from './crm-world.ts';

/**
 * Who opted out in the CRM itself stays opted out, whatever the pipeline writes in whatever order: it may undo only what it wrote. A CRM
 * that cannot tell the two apart says so in its facts, and then only a state that suppresses nothing undoes it.
 */
const { signal } = new AbortController();
const playable = await playableCrms();
/** Of the others the README's matrix says only what they declare. */
const judged = playable.filter(({ harness }) => harness.play().optOut !== undefined);

const RECIPIENTS = ['ada@example.com', `o'brien+news@example.com`];
const REASONS = [
  ['hard_bounce:all'],
  ['complaint:all'],
  ['unsubscribe:all'],
  ['soft_bounces:all'],
  ['manual:all'],
  ['unsubscribe:newsletter'],
  ['unsubscribe:account:shop', 'complaint:offers'],
  ['unsubscribe:newsletter', 'unsubscribe:all'],
  [],
];

type Step =
  | { readonly does: 'opt out'; readonly who: number }
  /** `fault`: its answer, or the call itself, is lost, so that it is made again by the next step that writes. */
  | {
      readonly does: 'write';
      readonly who: number;
      readonly state: number;
      readonly recordedAt: number;
      readonly fault: boolean;
    };

const who = fc.nat({ max: RECIPIENTS.length - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ does: fc.constant('opt out' as const), who }) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ does: fc.constant('write' as const), who, state: fc.nat({ max: REASONS.length - 1 }) },
      // In any order: what is older arrives after what is newer, too.
      ...{ recordedAt: fc.integer({ min: 1, max: 5 }), fault: fc.boolean() },
    }),
  },
);

async function write(
  { adapter, server }: World,
  { who: index, state, recordedAt, fault }: Step & { does: 'write' },
) {
  const of = suppression(RECIPIENTS[index] ?? '', ...(REASONS[state] ?? []));
  server.fault = fault ? (recordedAt % 2 === 0 ? 'lost' : 'cut') : undefined;
  try {
    await adapter.put({ suppression: of, recordedAt }, signal);
  } catch (error) {
    if (!fault) throw error;
  } finally {
    server.fault = undefined;
  }
}

test('a CRM is judged', () => {
  expect(playable.length).toBeGreaterThan(0);
});

describe.each(judged)('$name', (subject) => {
  const { undoesOptOuts } = subject.crm.facts;

  test('no order of states makes the CRM mail who opted out there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
        const world = await openWorld(subject);
        const { played, server } = world;
        const out = new Set<number>();
        for (const one of steps) {
          if (one.does === 'opt out') {
            played.optOut?.(RECIPIENTS[one.who] ?? '');
            out.add(one.who);
          } else {
            await write(world, one);
            const lifts = (REASONS[one.state] ?? []).every((reason) => !reason.endsWith(':all'));
            if (undoesOptOuts !== undefined && lifts) out.delete(one.who);
          }
          for (const index of out) expect(played.held(RECIPIENTS[index] ?? '')?.suppressed).toBe(true);
        }
        await server.close();
      }),
      { numRuns: 40 },
    );
  });

  if (undoesOptOuts === undefined)
    test('what the pipeline wrote itself is undone, if the CRM allows that at all', async () => {
      const { played, adapter } = await openWorld(subject);
      const [ada = ''] = RECIPIENTS;
      await adapter.put({ suppression: suppression(ada, 'hard_bounce:all'), recordedAt: 1 }, signal);
      await adapter.put({ suppression: suppression(ada), recordedAt: 2 }, signal);
      const { effect } = subject.crm.facts.states.lifted;
      expect(played.held(ada)?.suppressed ?? false).toBe(effect !== 'allows');
    });
});
