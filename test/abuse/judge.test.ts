import type { SimulationResult } from '@email-events/dev/simulate';
import { expect, test } from 'vitest';
import { ATTACKS } from './attacks/index.ts';
import type { Evidence, ReasonFound } from './evidence.ts';
import { judge, type Limits } from './judge.ts';

const reason = (name: string, source: string, scope = 'all'): ReasonFound => ({
  reason: name,
  scope,
  source,
});

/** A small run in which everything is as it must be. */
function soundEvidence(): Evidence {
  const states = new Map([
    ['ann@example.com', [reason('complaint', 'sendgrid')]],
    [
      'bob@example.com',
      [reason('unsubscribe', 'ses', 'offers'), reason('hard_bounce', 'hostile-ses', 'account:hostile')],
    ],
    ['customer.0.shop-a.run@example.com', [reason('complaint', 'shop-a-standard-webhooks')]],
    ['unbearable.1.shop-a.run@example.com', [reason('hard_bounce', 'shop-a-standard-webhooks')]],
  ]);
  const atCrm = new Map([...states].filter(([recipient]) => !recipient.startsWith('unbearable.')));
  const attack = (name: string) => {
    const found = ATTACKS.find((each) => each.name === name);
    if (!found) throw new Error(`no attack ${name}`);
    return found;
  };
  const tally = (name: string, statuses: readonly (readonly [number, number])[]) => ({
    ...{ attack: attack(name), esps: new Set(['sendgrid'] as const), requests: 2, bytes: 2_000 },
    statuses: new Map(statuses),
  });
  return {
    honest: {
      result: resultOf(),
      sentAt: new Map([['honest-1', 1_000]]),
      repeated: new Set(['honest-2']),
      answers: [3, 4],
      statuses: new Map([[200, 2]]),
      campaigns: new Map([
        [
          'sendgrid spring-sale A',
          {
            ...{ complained: new Set(['ann@example.com']), unsubscribed: new Set<string>() },
            ...{ clickers: new Set(['bob@example.com']), clicks: 2 },
          },
        ],
      ]),
    },
    hostile: {
      tallies: [tally('200,000 zeros', [[200, 2]]), tally('signed by another key', [[401, 2]])],
      taken: new Map([['hostile-1', 1_000]]),
    },
    hostileSince: 500,
    shops: [
      shopEvent('order-1001', 'customer.0.shop-a.run@example.com', 'shop-1', 'complaint'),
      {
        ...shopEvent('order-1002', 'unbearable.1.shop-a.run@example.com', 'shop-2', 'hard_bounce'),
        unbearable: 'recipient',
      },
    ],
    topics: {
      raw: new Map(
        ['honest-1', 'honest-2', 'hostile-1', 'shop-1', 'shop-2', 'calm-1'].map((id) => [id, 'any']),
      ),
      ...{ normalized: 10, emitted: 8, suppressions: states },
      totals: { received: 10, emitted: 8, duplicates: 1, deadLettered: 1 },
      letters: [
        letter('events', 'EVENTS_RECORD_FAILED', null),
        letter('normalize', 'NORMALIZE_TOO_MANY_ITEMS', 'hostile-1'),
        letter('sink-crm', 'SINK_CRM_RECORD_FAILED', null),
      ],
    },
    stores: {
      ...{ rows: 8, distinct: 8, rolledUp: 8, letters: 3 },
      bySource: new Map([
        ['sendgrid delivered', 4],
        ['ses unsubscribed', 1],
        ['hostile-ses bounced', 1],
      ]),
      shopRows: new Map(
        ['order-1001', 'order-1002', 'calm-0'].map((id) => [`shop-a-standard-webhooks ${id}`, 1]),
      ),
      insertedAt: new Map([
        ['honest-1', 1_700],
        ['shop-1', 2_000],
      ]),
      campaigns: new Map([
        ['sendgrid spring-sale A', { complained: 1, unsubscribed: 0, clicked: 1, clicks: 2 }],
        ['hostile-sendgrid spring-sale A', { complained: 50, unsubscribed: 0, clicked: 0, clicks: 0 }],
      ]),
      ...{ suppressions: states, crm: atCrm },
    },
    positions: [{ group: 'g', topic: 'email.raw', partition: 0, committed: 6n, end: 6n }],
    memory: new Map([['normalize', 200 * 1_048_576]]),
    restarts: new Map([['normalize', 0]]),
    flood: {
      ...{ sent: 100, bytesSent: 10_000, accepted: 0, bytesLogged: 500, seconds: 1 },
      honest: [
        {
          ...{ status: 200, requestId: 'calm-1', tookMs: 3 },
          ...{ source: 'shop-a-standard-webhooks', id: 'calm-0' },
        },
      ],
    },
  };
}

function resultOf(): SimulationResult {
  return {
    ...{ runId: 'run', seed: 1, startTime: 0, aborted: false, seconds: 1, requestsPerSecond: 1 },
    ...{ eventsPerSecond: 1, requests: 2, retries: 0, uncertain: 0, unexpected: 0, surprises: [] },
    ...{ byEsp: {}, byKind: {} },
    expected: {
      ...{ received: 6, emitted: 5, duplicates: 1, deadLettered: 0, deadLetters: {}, campaigns: [] },
      events: { sendgrid: { delivered: 4 }, ses: { unsubscribed: 1 } },
      suppressions: {
        ...{ suppressed: 1, byReason: {} },
        recipients: {
          'ann@example.com': { suppressed: true, reasons: ['complaint'] },
          'bob@example.com': { suppressed: false, reasons: ['unsubscribe:offers'] },
        },
      },
    },
  };
}

function shopEvent(id: string, recipient: string, requestId: string, why: 'complaint' | 'hard_bounce') {
  const source = 'shop-a-standard-webhooks';
  return { source, ids: [id], recipient, requestId, reason: why, sentAt: 1_500, status: 200 };
}

const letter = (stage: string, code: string, requestId: string | null) => ({
  ...{ stage, code, source: null, requestId, bytes: 900 },
});

// A judge that cannot complain proves nothing: each promise is broken once.

const LIMITS: Limits = { memoryBytes: 512 * 1_048_576, canaryP99Ms: 5_000 };

const brokenIn = (evidence: Evidence) =>
  judge(evidence, LIMITS).flatMap(({ promise, violations }) => (violations.length > 0 ? [promise] : []));

test('nothing is wrong with what is as it must be', () => {
  expect(judge(soundEvidence(), LIMITS).filter(({ violations }) => violations.length > 0)).toEqual([]);
});

const WITHOUT = (map: ReadonlyMap<string, unknown>, key: string) =>
  new Map([...map].filter(([name]) => name !== key)) as never;
const WITH = <T>(map: ReadonlyMap<string, T>, key: string, value: T) => new Map([...map, [key, value]]);

const BROKEN: readonly (readonly [string, string, (sound: Evidence) => Evidence])[] = [
  [
    'an honest request is refused in the end',
    'honest requests are answered with 200',
    (e) => ({
      ...e,
      honest: {
        ...e.honest,
        result: {
          ...e.honest.result,
          surprises: [{ index: 0, esp: 'ses', kind: 'events', expected: 200, got: 429 }],
        },
      },
    }),
  ],
  [
    'an honest event has no row',
    'ClickHouse: rows by source and type as without hostile accounts',
    (e) => ({ ...e, stores: { ...e.stores, bySource: WITH(e.stores.bySource, 'sendgrid delivered', 3) } }),
  ],
  [
    'a row in the name of an honest source is not its own',
    'ClickHouse: rows by source and type as without hostile accounts',
    (e) => ({ ...e, stores: { ...e.stores, bySource: WITH(e.stores.bySource, 'ses complained', 1) } }),
  ],
  [
    'a guessed id took the place of a true event',
    'an id that another account used takes nobody’s event',
    (e) => ({
      ...e,
      stores: {
        ...e.stores,
        shopRows: WITHOUT(e.stores.shopRows, 'shop-a-standard-webhooks order-1001'),
      },
    }),
  ],
  [
    'an unsubscribe was lifted by another account',
    'suppressions: the topic',
    (e) => ({
      ...e,
      topics: { ...e.topics, suppressions: WITH(e.topics.suppressions, 'bob@example.com', []) },
    }),
  ],
  [
    'an account that may not suppresses for all',
    'suppressions: ClickHouse',
    (e) => ({
      ...e,
      stores: {
        ...e.stores,
        suppressions: WITH(e.stores.suppressions, 'bob@example.com', [
          { reason: 'unsubscribe', scope: 'offers', source: 'ses' },
          { reason: 'hard_bounce', scope: 'all', source: 'hostile-ses' },
        ]),
      },
    }),
  ],
  [
    'somebody is suppressed of whom no honest account said so',
    'suppressions: the topic',
    (e) => ({
      ...e,
      topics: {
        ...e.topics,
        suppressions: WITH(e.topics.suppressions, 'eve@gmail.example', [
          { reason: 'complaint', scope: 'all', source: 'hostile-ses' },
        ]),
      },
      stores: {
        ...e.stores,
        crm: WITH(e.stores.crm, 'eve@gmail.example', []),
      },
    }),
  ],
  [
    'a state did not reach the CRM',
    'suppressions: the CRM, but for what it cannot take',
    (e) => ({ ...e, stores: { ...e.stores, crm: WITHOUT(e.stores.crm, 'ann@example.com') } }),
  ],
  [
    'forged complaints are in an honest report',
    'campaigns by source',
    (e) => ({
      ...e,
      stores: {
        ...e.stores,
        campaigns: WITH(e.stores.campaigns, 'sendgrid spring-sale A', {
          ...{ complained: 51, unsubscribed: 0, clicked: 1, clicks: 2 },
        }),
      },
    }),
  ],
  [
    'a partition stands still',
    'nothing stands still: every group has committed all',
    (e) => ({
      ...e,
      positions: [{ group: 'g', topic: 'email.raw', partition: 0, committed: 5n, end: 6n }],
    }),
  ],
  [
    'an event is neither emitted nor a duplicate nor a dead letter',
    'received = emitted + duplicates + dead-lettered',
    (e) => ({ ...e, topics: { ...e.topics, totals: { ...e.topics.totals, duplicates: 0 } } }),
  ],
  [
    'a row is there twice',
    'received = emitted + duplicates + dead-lettered',
    (e) => ({ ...e, stores: { ...e.stores, rows: 9, rolledUp: 9 } }),
  ],
  [
    'a forged request got in',
    'what is not genuine is refused, what is gets in',
    (e) => withAnswers(e, 1, [[200, 1]]),
  ],
  [
    'an attack never got in',
    'what is not genuine is refused, what is gets in',
    (e) => withAnswers(e, 0, [[401, 2]]),
  ],
  [
    'a request that nobody was told of is in email.raw',
    'nothing is in email.raw that was not answered with 200',
    (e) => ({ ...e, topics: { ...e.topics, raw: WITH(e.topics.raw, 'unheard', 'ses') } }),
  ],
  [
    'an acknowledged request is lost',
    'nothing is in email.raw that was not answered with 200',
    (e) => ({ ...e, topics: { ...e.topics, raw: WITHOUT(e.topics.raw, 'honest-2') } }),
  ],
  [
    'a request comes to thousands of dead letters',
    'dead letters of a hostile request are bounded',
    (e) => {
      const [first] = e.topics.letters.filter(({ requestId }) => requestId === 'hostile-1');
      const letters = [...e.topics.letters, ...Array(2_000).fill(first)];
      return {
        ...e,
        topics: { ...e.topics, letters },
        stores: { ...e.stores, letters: letters.length },
      };
    },
  ],
  ['a service ended', 'no service ended', (e) => ({ ...e, restarts: new Map([['normalize', 1]]) })],
  [
    'a service takes too much memory',
    'memory of every service',
    (e) => ({ ...e, memory: new Map([['normalize', 600 * 1_048_576]]) }),
  ],
  [
    'honest requests are late',
    'honest requests become rows in time',
    (e) => ({ ...e, stores: { ...e.stores, insertedAt: new Map([['honest-1', 9_000]]) } }),
  ],
  [
    'a flood fills the log',
    'a flood of unsigned requests',
    (e) => ({ ...e, flood: e.flood && { ...e.flood, bytesLogged: 20_000 } }),
  ],
];

test.each(BROKEN)('%s: it complains, and of nothing else', (_what, promise, spoil) => {
  expect(brokenIn(spoil(soundEvidence()))).toEqual([promise]);
});

function withAnswers(evidence: Evidence, index: number, statuses: [number, number][]): Evidence {
  const tallies = evidence.hostile.tallies.map((tally, i) =>
    i === index ? { ...tally, statuses: new Map(statuses) } : tally,
  );
  return { ...evidence, hostile: { ...evidence.hostile, tallies } };
}
