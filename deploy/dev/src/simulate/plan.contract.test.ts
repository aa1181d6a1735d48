import { accountOf } from '@email-events/esps/accounts';
import { beforeAll, describe, expect, it } from 'vitest';
import { EVERY_ESP, makeCredentials, type SenderCredentials, SIMULATED_ESPS } from './credentials.ts';
import { createPlan, MISHAPS } from './plan.ts';
import { signedRequests } from './send.ts';
import { senderOf } from './sender.ts';
import { eventsIn } from './tally.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const OPTIONS = { seed: 7, events: 1_500, startTime: NOON, runId: 'run1' };

let credentials: SenderCredentials;
beforeAll(async () => {
  credentials = await makeCredentials();
});

const wired = (options: Partial<Parameters<typeof createPlan>[0]> = {}, now = NOON, keys = credentials) => [
  ...signedRequests(createPlan({ ...OPTIONS, ...options }), { credentials: keys, now: () => now }),
];

const planned = (options: Partial<Parameters<typeof createPlan>[0]> = {}) => [
  ...createPlan({ ...OPTIONS, ...options }).requests(),
];

describe('a plan', () => {
  it('is the same byte for byte for the same seed, clock and keys', () => {
    const once = wired({ esps: EVERY_ESP });
    const twice = wired({ esps: EVERY_ESP });
    expect(once.length).toBeGreaterThan(500);
    for (const [i, { planned, wire }] of once.entries()) {
      const other = twice[i]?.wire;
      const signature = 'x-twilio-email-event-webhook-signature';
      expect(other?.body.equals(wire.body)).toBe(true);
      expect({ ...other?.headers, [signature]: '' }).toEqual({ ...wire.headers, [signature]: '' });
      expect([planned.index, wire.path]).toEqual([i, other?.path]);
    }
    expect(twice.length).toBe(once.length);
  });

  it('does not depend on how often or how far it was read', () => {
    const plan = createPlan(OPTIONS);
    const first = plan.requests()[Symbol.iterator]().next().value;
    const all = [...plan.requests()];
    expect(all[0]).toEqual(first);
    expect(all).toEqual([...plan.requests()]);
  });

  it('differs by seed, and by run id in nothing but names', () => {
    const bodies = (options: object) => planned(options).map(({ draft }) => draft.body.toString());
    expect(bodies({ seed: 8 })).not.toEqual(bodies({}));
    const shape = (options: object) =>
      planned(options).map((request) => [request.kind, request.esp, eventsIn(request)]);
    expect(shape({ runId: 'another' })).toEqual(shape({}));
  });

  it('names no request as an earlier run of the same seed did, whose tokens are taken by now', () => {
    const ids = (runId: string) =>
      planned({ runId, esps: ['mailgun', 'standard-webhooks'] }).map(({ draft }) => draft.id);
    const earlier = new Set(ids('run1'));
    expect(earlier.size).toBeGreaterThan(500);
    expect(ids('run2').filter((id) => earlier.has(id))).toEqual([]);
  });

  it('has messages that bounce after they were delivered, and nothing happens to them then', () => {
    const steps = [...new Set(planned({ events: 6_000 }).flatMap((request) => request.steps))];
    const byMessage = Map.groupBy(steps, ({ message }) => message);
    const late = [...byMessage.values()].filter((life) => {
      const at = (type: string) => life.find((step) => step.type === type)?.at ?? Number.NaN;
      return at('bounced') > at('delivered');
    });
    expect(late.length).toBeGreaterThan(3);
    for (const life of late) expect(life.map(({ type }) => type)).not.toContain('opened');
  });

  it('holds the events asked for, and the shares of duplicates and invalid requests', () => {
    const requests = planned({ events: 20_000 });
    const distinct = new Set(requests.flatMap(({ steps }) => steps));
    const events = [...distinct].reduce((sum, { message }) => sum + message.addressees.length, 0);
    expect(events).toBeGreaterThanOrEqual(20_000);
    expect(events).toBeLessThan(20_004);
    const told = requests.reduce(
      (sum, request) => sum + eventsIn(request) - request.expected.deadLetters.length,
      0,
    );
    expect((told - events) / events).toBeGreaterThan(0.04);
    expect((told - events) / events).toBeLessThan(0.06);
    const invalid = requests.filter(({ kind }) => kind !== 'events' && kind !== 'redelivery');
    expect(invalid.length / requests.length).toBeGreaterThan(0.009);
    expect(invalid.length / requests.length).toBeLessThan(0.011);
    expect(new Set(invalid.map(({ kind }) => kind))).toEqual(new Set(MISHAPS));
  });

  it('is of five ESPs unless others are asked for, and of each for itself', () => {
    expect(new Set(planned().map(({ esp }) => esp))).toEqual(new Set(SIMULATED_ESPS));
    for (const esp of EVERY_ESP) {
      const requests = planned({ esps: [esp], events: 300, duplicates: 0 });
      expect(new Set(requests.map((request) => request.esp))).toEqual(new Set([esp]));
      expect(new Set(requests.flatMap(({ steps }) => steps)).size).toBeGreaterThan(250);
    }
  });

  it('can do without duplicates, invalid requests and most ESPs', () => {
    const requests = planned({ duplicates: 0, invalid: 0, esps: ['mailgun'] });
    expect(new Set(requests.map(({ esp, kind }) => `${esp} ${kind}`))).toEqual(new Set(['mailgun events']));
    const steps = requests.flatMap(({ steps }) => steps);
    expect(new Set(steps.map(({ id }) => id)).size).toBe(steps.length);
  });

  it('lies in the hours before its start, and arrives out of order', () => {
    const steps = planned().flatMap(({ steps }) => steps);
    const times = steps.map(({ at }) => at);
    expect(Math.max(...times)).toBeLessThanOrEqual(NOON);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(NOON - 6 * 3_600_000 - 1_000);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(5 * 3_600_000);
    const latest = new Map<number, number>();
    let late = 0;
    for (const { message, at } of steps) {
      if (at < (latest.get(message.index) ?? 0)) late++;
      latest.set(message.index, Math.max(at, latest.get(message.index) ?? 0));
    }
    expect(late).toBeGreaterThan(20);
  });

  it('never lets what undoes each other happen at the same time', () => {
    const second = ({ at }: { at: number }) => Math.floor(at / 1000) % 2;
    const steps = planned({ events: 6_000 }).flatMap((request) => request.steps);
    const even = steps.filter(({ type }) => type === 'delivered' || type === 'subscribed');
    const odd = steps.filter(
      ({ type, detail }) =>
        type === 'unsubscribed' || (type === 'bounced' && detail.failure?.bounceClass === 'soft'),
    );
    expect(new Set([...even, ...odd].map(({ type }) => type)).size).toBe(4);
    expect(new Set(even.map(second))).toEqual(new Set([0]));
    expect(new Set(odd.map(second))).toEqual(new Set([1]));
  });

  it('marks every message and recipient with the run', () => {
    for (const { steps } of planned({ invalid: 0 })) {
      for (const { message } of steps) {
        expect(message.id).toMatch(/^run1-/);
        for (const { recipient } of message.addressees) expect(recipient.key).toContain('run1');
      }
    }
  });

  it('repeats a request as its ESP would: the same bytes, signed anew where it does so', () => {
    let now = NOON;
    const requests = [];
    const plan = createPlan({ ...OPTIONS, events: 10_000, esps: EVERY_ESP, duplicates: 0.4 });
    for (const request of signedRequests(plan, { credentials, now: () => now })) {
      requests.push(request);
      now += 1_000;
    }
    const repeats = requests.filter(({ planned }) => planned.kind === 'redelivery');
    expect(new Set(repeats.map(({ planned }) => planned.esp))).toEqual(new Set(EVERY_ESP));
    for (const { planned, wire } of repeats) {
      const original = requests[planned.repeats ?? -1]?.wire;
      expect(original?.body.equals(wire.body)).toBe(true);
      if (!senderOf(planned.esp).speech.signsAnew) {
        expect(wire).toEqual(original);
        continue;
      }
      const prefix = planned.esp === 'resend' ? 'svix' : 'webhook';
      expect(wire.headers[`${prefix}-id`]).toBe(original?.headers[`${prefix}-id`]);
      expect(wire.headers[`${prefix}-timestamp`]).not.toBe(original?.headers[`${prefix}-timestamp`]);
      expect(wire.headers[`${prefix}-signature`]).not.toBe(original?.headers[`${prefix}-signature`]);
    }
  });

  it('refuses a run id that could not start a message id', () => {
    expect(() => createPlan({ ...OPTIONS, runId: 'Run 1' })).toThrow(RangeError);
    expect(() => createPlan({ ...OPTIONS, esps: [] })).toThrow(RangeError);
  });

  it('signs with the keys it is given', async () => {
    const other = await accountOf('ses').newKey();
    const sign = (keys: SenderCredentials) =>
      wired({ events: 50, esps: ['ses'] }, NOON, keys)[0]?.wire.body.toString();
    expect(sign({ ...credentials, ses: other })).not.toBe(sign(credentials));
  });
});
