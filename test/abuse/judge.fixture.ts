import type { SimulationResult } from '@email-events/dev/simulate';
import { ATTACKS } from './attacks/index.ts';
import type { ReasonFound } from './evidence-topics.ts';
import type { Evidence } from './judge.ts';

const reason = (name: string, source: string, scope = 'all'): ReasonFound => ({
  reason: name,
  scope,
  source,
});

/** A small run in which everything is as it must be. */
export function soundEvidence(): Evidence {
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
