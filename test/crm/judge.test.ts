import type { SinkRecord } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { type CrmFacts, forEveryReason } from '@email-events/sink-crm';
import { expect, test } from 'vitest';
import { type Evidence, limitViolationsIn, violationsIn } from './judge.ts';

const [ADA, BOB] = ['ada@example.com', 'bob@example.com'] as const;
const suppresses = { effect: 'suppresses', how: '' } as const;
const allows = { effect: 'allows', how: '' } as const;
const states: CrmFacts['states'] = { ...forEveryReason(suppresses), stream: allows, lifted: allows };

function record(recipient: string, revision: number, ...reasons: string[]): SinkRecord<Suppression> {
  const value = {
    ...{ recipient, revision, event_id: `${revision}`, changed_at: revision },
    suppressed: reasons.length > 0,
    reasons: reasons.map((reason) => ({ reason, scope: 'all' })),
  } as unknown as Suppression;
  return { topic: 't', key: recipient, value, timestamp: revision, attempts: 0 };
}

const log = [
  record(ADA, 1, 'hard_bounce'),
  record(ADA, 2),
  record(ADA, 3, 'complaint'),
  record(BOB, 4, 'unsubscribe'),
  record(ADA, 2),
];

/** All is well but for what is given. */
function found({ report, ...other }: Partial<Omit<Evidence, 'report'>> & { report?: object }): string[] {
  const well = {
    ...{
      held: [ADA, BOB].map((who) => [who, true] as const),
      calls: 9,
      over: 0,
      faults: {},
      hasOptOuts: true,
    },
    ...{ reenabled: {}, fouls: [], firstCallMs: 0, lastCallMs: 0, firstSuppressedAt: [] },
  };
  return violationsIn({
    ...{ facts: { states }, log, optedOut: new Set(), refused: new Set(), deadLetters: [] },
    ...other,
    report: { ...well, ...report },
  });
}

test('nothing is found where all is well', () => {
  expect(found({})).toEqual([]);
  expect(found({ report: { reenabled: { [ADA]: 1 } } })).toEqual([]);
});

test('who is not at the newest state is found, by revision and not by place', () => {
  expect(
    found({
      report: {
        held: [
          [ADA, false],
          [BOB, true],
        ],
      },
    }),
  ).toEqual([`1 recipients are not at their newest state: ${ADA}`]);
  expect(found({ report: { held: [[ADA, true]] } })).toEqual([
    `1 recipients are not at their newest state: ${BOB}`,
  ]);
  expect(found({ refused: new Set([BOB]), report: { held: [[ADA, true]] } })).toEqual([]);
});

test('a state that leaves the CRM as it is asks for nothing', () => {
  const leaves = { effect: 'leaves', how: '' } as const;
  const facts = { states: { ...forEveryReason(suppresses), stream: leaves, lifted: leaves } };
  const lifted = [record(ADA, 1, 'complaint'), record(ADA, 2)];
  for (const held of [[[ADA, true]], [[ADA, false]], []])
    expect(found({ facts, log: lifted, report: { held } })).toEqual([]);
});

test('a contact that is there twice is found, however it is written', () => {
  const held = [ADA, BOB, 'Ada@Example.com'].map((who) => [who, true]);
  expect(found({ report: { held } })).toEqual(['1 contacts are there twice: Ada@Example.com']);
});

test('who is mailed again more often than the log lifts is found, and who opted out at once', () => {
  const again = (who: string, times: number, optedOut: readonly string[] = []) =>
    found({ optedOut: new Set(optedOut), report: { reenabled: { [who]: times } } });
  expect(again(ADA, 2)).toEqual([`1 recipients were mailed again without a reason: ${ADA}`]);
  expect(again(BOB, 1)).toEqual([`1 recipients were mailed again without a reason: ${BOB}`]);
  expect(again(ADA, 1, [ADA])).toEqual([`1 recipients were mailed again without a reason: ${ADA}`]);
});

test('dead letters that could have been delivered and what must never be done are found', () => {
  const deadLetters = [ADA, BOB].map((recipient) => ({ recipient, code: 'SINK_CRM_RECORD_FAILED' }));
  expect(found({ deadLetters, refused: new Set([ADA]) })).toEqual([
    '1 states are dead letters that could have been delivered: SINK_CRM_RECORD_FAILED',
  ]);
  expect(found({ report: { fouls: ['somebody is subscribed', 'somebody is subscribed'] } })).toEqual([
    'a call that must never be made: somebody is subscribed',
  ]);
});

test('calls above the limit are found', () => {
  const report = { over: 2 } as Parameters<typeof limitViolationsIn>[0];
  expect(limitViolationsIn(report)).toEqual(['2 calls above the limit']);
  expect(limitViolationsIn({ ...report, over: 0 })).toEqual([]);
});
