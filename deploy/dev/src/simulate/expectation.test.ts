import type { Message, Step, StepDetail } from '@email-events/esps/accounts/kit/speech';
import { describe, expect, it } from 'vitest';
import { SuppressionLedger } from './expectation.ts';
import { DOMAINS, PROGRAMMES } from './population.ts';

const DAY = 86_400_000;
const KEY = 'anna@gmail.example';
const SOFT: StepDetail = {
  failure: { bounceClass: 'soft', category: 'policy', code: 550, status: '5.7.1', text: '' },
};
const HARD: StepDetail = {
  failure: { bounceClass: 'hard', category: 'policy', code: 550, status: '5.1.1', text: '' },
};

const [domain] = DOMAINS;
const [programme] = PROGRAMMES;
if (!domain || !programme) throw new Error('no population');
const [variant] = programme.variants;
if (!variant) throw new Error('no variant');
const recipient = { index: 1, key: KEY, domain, habit: 'ordinary' } as const;
const message: Message = {
  ...{ index: 1, esp: 'sendgrid', programme, variant, id: 'r-1', sentAt: 0 },
  addressees: [{ recipient, messages: 1, address: KEY }],
};

/** [type, day, detail, esp] */
type Event = readonly [Step['type'], number, StepDetail?, Message['esp']?];

function judge(...events: readonly Event[]) {
  const results = [events, [...events].reverse()].map((order) => {
    const ledger = new SuppressionLedger();
    for (const [id, [type, day, detail = {}, esp = 'sendgrid']] of order.entries()) {
      ledger.add({ id, message: { ...message, esp }, type, at: day * DAY, detail }, detail.scope);
    }
    return ledger.result();
  });
  expect(results[0]).toEqual(results[1]);
  return results[0]?.recipients[KEY];
}

const softBounces = (...days: readonly number[]): Event[] => days.map((day) => ['bounced', day, SOFT]);

describe('who must be suppressed', () => {
  it('nobody for what is no reason', () => {
    expect(judge(['queued', 0], ['delivered', 1], ['opened', 2], ['bounced', 3, SOFT])).toBeUndefined();
  });

  it('for good after a hard bounce or a complaint, whatever comes later', () => {
    expect(judge(['bounced', 1, HARD], ['delivered', 2])).toEqual({
      suppressed: true,
      reasons: ['hard_bounce'],
    });
    expect(judge(['complained', 1], ['subscribed', 2, { scope: 'all' }])).toEqual({
      suppressed: true,
      reasons: ['complaint'],
    });
  });

  it('after an unsubscribe, until a later resubscribe of the same scope', () => {
    const left: Event = ['unsubscribed', 5, { scope: 'all' }];
    expect(judge(left)).toEqual({ suppressed: true, reasons: ['unsubscribe'] });
    expect(judge(left, ['subscribed', 6, { scope: 'all' }])).toBeUndefined();
    expect(judge(left, ['subscribed', 4, { scope: 'all' }])?.suppressed).toBe(true);
    expect(judge(left, ['subscribed', 6, { scope: 'stream' }])?.suppressed).toBe(true);
    expect(judge(['unsubscribed', 5, { scope: 'stream' }])).toEqual({
      suppressed: false,
      reasons: ['unsubscribe:stream'],
    });
  });

  it('after five soft bounces within 30 days and no delivery since', () => {
    expect(judge(...softBounces(1, 2, 3, 4))).toBeUndefined();
    expect(judge(...softBounces(1, 2, 3, 4, 31))).toEqual({ suppressed: true, reasons: ['soft_bounces'] });
    expect(judge(...softBounces(1, 2, 3, 4, 31.1))).toBeUndefined();
    expect(judge(...softBounces(1, 2, 3, 4, 5), ['delivered', 6])).toBeUndefined();
    expect(judge(...softBounces(1, 2, 3, 4, 5), ['delivered', 2.5])).toBeUndefined();
    expect(judge(...softBounces(1, 2, 3, 4, 5), ['delivered', 0.5])?.suppressed).toBe(true);
  });

  it('by the account that said so: another one lifts nothing, and all count together', () => {
    const all: StepDetail = { scope: 'all' };
    const left: Event = ['unsubscribed', 5, all];
    expect(judge(left, ['subscribed', 6, all, 'ses'])?.suppressed).toBe(true);
    expect(judge(left, ['unsubscribed', 5, all, 'ses'], ['subscribed', 6, all])).toEqual({
      suppressed: true,
      reasons: ['unsubscribe'],
    });
    const bounces = softBounces(1, 2, 3);
    const others: Event[] = [4, 5].map((day) => ['bounced', day, SOFT, 'ses']);
    expect(judge(...bounces, ...others)?.reasons).toEqual(['soft_bounces']);
    expect(judge(...bounces, ...others, ['delivered', 6, {}, 'ses'])).toBeUndefined();
    expect(judge(...bounces, ...others, ['delivered', 6, {}, 'postmark'])?.suppressed).toBe(true);
  });

  it('counts recipients and reasons', () => {
    const ledger = new SuppressionLedger();
    const other = {
      ...message,
      addressees: [{ recipient: { ...recipient, key: 'ben@x' }, messages: 1, address: '' }],
    };
    ledger.add({ id: 1, message, type: 'complained', at: 1, detail: {} }, undefined);
    ledger.add({ id: 2, message, type: 'bounced', at: 2, detail: HARD }, undefined);
    ledger.add({ id: 3, message: other, type: 'unsubscribed', at: 3, detail: {} }, 'offers');
    expect(ledger.result()).toEqual({
      recipients: {
        [KEY]: { suppressed: true, reasons: ['complaint', 'hard_bounce'] },
        'ben@x': { suppressed: false, reasons: ['unsubscribe:offers'] },
      },
      suppressed: 1,
      byReason: { complaint: 1, hard_bounce: 1, unsubscribe: 1 },
    });
  });
});
