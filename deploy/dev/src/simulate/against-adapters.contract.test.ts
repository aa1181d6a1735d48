import {
  findAdapter,
  inspectRequest,
  normalizeRequest,
  Refusal,
  toEmailEvent,
  type Verifier,
} from '@email-events/esps';
import { accounts } from '@email-events/esps/accounts';
import type { Step } from '@email-events/esps/accounts/kit/speech';
import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  EVERY_ESP,
  makeCredentials,
  type SenderCredentials,
  secretFiles,
  sourcesFor,
} from './credentials.ts';
import { type Expectation, Ledger } from './expectation.ts';
import { createPlan } from './plan.ts';
import { type OutgoingRequest, signedRequests } from './send.ts';
import { senderOf } from './sender.ts';

// The real adapters judge what the simulator writes: an event for an event, a refusal for a refusal.
const NOON = Date.UTC(2026, 5, 1, 12);
const RUN = 'run1';

let credentials: SenderCredentials;
let verifiers: ReadonlyMap<string, Verifier>;
let requests: OutgoingRequest[];
let expected: Expectation;

beforeAll(async () => {
  credentials = await makeCredentials();
  verifiers = verifiersOf(credentials);
  const plan = createPlan({
    seed: 3,
    esps: EVERY_ESP,
    events: 16_000,
    startTime: NOON,
    runId: RUN,
    duplicates: 0.1,
    invalid: 0.04,
  });
  requests = [...signedRequests(plan, { credentials, now: () => NOON })];
  const ledger = new Ledger();
  for (const { planned } of requests) if (planned.expected.status === 200) ledger.acknowledged(planned);
  expected = ledger.result();
});

function verifiersOf(sender: SenderCredentials): Map<string, Verifier> {
  const secrets = secretFiles(sender);
  const sources = sourcesFor(sender, (name) => secrets[name] ?? '');
  return new Map(
    Object.values(sources).map((source) => [source.esp, adapterOf(source.esp).verifier(source)]),
  );
}

function adapterOf(esp: string) {
  const adapter = findAdapter(esp);
  if (!adapter) throw new Error(`no adapter for ${esp}`);
  return adapter;
}

const espRequest = ({ wire }: OutgoingRequest) => ({ ...wire, url: wire.path, receivedAt: NOON });

function inspect(request: OutgoingRequest) {
  const { esp } = request.planned;
  const verifier = verifiers.get(esp);
  if (!verifier) throw new Error(esp);
  return inspectRequest({ adapter: adapterOf(esp), verifier, request: espRequest(request) });
}

/** Every event of every accepted request, and the dead letters, as the pipeline reads them. */
function readAll(): { events: EmailEvent[]; deadLetters: string[] } {
  const events: EmailEvent[] = [];
  const deadLetters: string[] = [];
  for (const request of requests) {
    if (request.planned.expected.status !== 200) continue;
    const { esp } = request.planned;
    const origin = { esp, source: esp, request_id: '', received_at: NOON, raw_partition: 0, raw_offset: 0 };
    try {
      for (const result of normalizeRequest(adapterOf(esp), espRequest(request)).results) {
        if ('code' in result) deadLetters.push(result.code);
        else
          events.push(
            ...result.events.map((event) => toEmailEvent(event, { ...origin, item_index: result.index })),
          );
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      deadLetters.push(error.code);
    }
  }
  return { events, deadLetters };
}

const countBy = <T>(values: readonly T[], name: (value: T) => string) => {
  const counts: { [name: string]: number } = {};
  for (const value of values) counts[name(value)] = (counts[name(value)] ?? 0) + 1;
  return counts;
};

// Thousands of signatures are made and verified: an end for a test that hangs, not a limit for a slow machine.
describe('what the simulator sends', { timeout: 600_000 }, () => {
  it('verifies, and says exactly what happened', () => {
    const good = requests.filter(({ planned }) => planned.kind === 'events' || planned.kind === 'redelivery');
    expect([...new Set(good.map(({ planned }) => planned.esp))].sort()).toEqual([...EVERY_ESP].sort());
    for (const request of good) {
      const inspection = inspect(request);
      expect(inspection).toMatchObject({ verified: true, reason: null, handshake: false, deadLetters: [] });
      const told = request.planned.steps.flatMap(expectedEvents);
      expect(inspection.events.map((event) => shown(event, told))).toEqual(told);
    }
  });

  it('is refused for the reason that was built in', () => {
    const codes = new Set<string>();
    for (const esp of EVERY_ESP) {
      const plan = createPlan({
        seed: 4,
        events: senderOf(esp).batches ? 2_000 : 300,
        startTime: NOON,
        runId: RUN,
        invalid: 0.5,
        esps: [esp],
      });
      for (const request of signedRequests(plan, { credentials, now: () => NOON })) {
        if (request.planned.expected.status !== 401) continue;
        const { verified, reason } = inspect(request);
        expect(verified).toBe(false);
        codes.add(`${request.planned.kind} ${esp} ${reason}`);
      }
    }
    expect([...codes].sort()).toEqual(REFUSALS);
  });

  it('is refused by size, content type or source alone where its signature is good', () => {
    const maxBytes = 1_048_576;
    for (const request of requests) {
      const { kind, esp } = request.planned;
      if (kind === 'too-large') expect(request.wire.body.length).toBeGreaterThan(maxBytes);
      if (kind === 'unknown-source') expect(request.wire.path).not.toContain(esp);
      if (kind === 'wrong-content-type' || kind === 'unknown-source')
        expect(inspect(request).verified).toBe(true);
      if (kind === 'wrong-content-type') {
        expect(adapterOf(esp).http.contentTypes).not.toContain(request.wire.headers['content-type']);
      }
    }
  });

  it('leads to the dead letters that were built in, and to the events beside them', () => {
    for (const request of requests) {
      const { kind, expected: answer, steps } = request.planned;
      if (kind !== 'garbage' && kind !== 'bad-item') continue;
      const inspection = inspect(request);
      expect(inspection.verified).toBe(true);
      expect(inspection.deadLetters.map(({ code }) => code)).toEqual(answer.deadLetters);
      expect(inspection.events.length).toBe(steps.flatMap(expectedEvents).length);
    }
  });
});

describe('the expectation', () => {
  it('agrees with a naive deduplication of what the adapters read', () => {
    const { events, deadLetters } = readAll();
    const distinct = [...new Map(events.map((event) => [event.event_id, event])).values()];
    expect(expected).toMatchObject({
      received: events.length + deadLetters.length,
      emitted: distinct.length,
      duplicates: events.length - distinct.length,
      deadLettered: deadLetters.length,
      deadLetters: countBy(deadLetters, (code) => code),
    });
    expect(distinct.length).toBeGreaterThanOrEqual(16_000);
    for (const esp of EVERY_ESP) {
      const ofEsp = distinct.filter((event) => event.esp === esp);
      expect(countBy(ofEsp, ({ type }) => type)).toEqual(expected.events[esp]);
    }
  });

  it('counts an event once that is told in two formats', () => {
    const kinds = new Map<string, Set<string>>();
    for (const { esp, event_id: id, esp_event_type: name } of readAll().events) {
      kinds.set(id, (kinds.get(id) ?? new Set()).add(`${esp} ${name}`));
    }
    const twofold = [...kinds.values()]
      .filter((forms) => forms.size > 1)
      .map((forms) => [...forms].sort().join(' + '));
    expect(new Set(twofold)).toContain('postmark Bounce HardBounce + postmark SubscriptionChange');
    const ses = requests.filter(({ planned }) => planned.esp === 'ses' && planned.kind === 'events');
    const formats = new Map<number, Set<string>>();
    for (const { planned } of ses) {
      const format = planned.draft.body.includes('notificationType') ? 'older' : 'newer';
      for (const { id } of planned.steps) formats.set(id, (formats.get(id) ?? new Set()).add(format));
    }
    expect([...formats.values()].some((both) => both.size === 2)).toBe(true);
  });

  it('agrees on campaigns and variants, whichever copy of an event comes first', () => {
    const { events } = readAll();
    for (const order of [events, [...events].reverse()]) {
      const distinct = new Map<string, EmailEvent>();
      for (const event of order) if (!distinct.has(event.event_id)) distinct.set(event.event_id, event);
      for (const row of expected.campaigns) {
        const own = [...distinct.values()].filter(
          ({ campaign, variant }) => campaign === row.campaign && variant === row.variant,
        );
        const of = (type: string) => own.filter((event) => event.type === type);
        expect({
          ...{
            queued: of('queued').length,
            delivered: of('delivered').length,
            bounced: of('bounced').length,
          },
          ...{
            opened: of('opened').length,
            machineOpened: of('opened').filter((event) => event.is_machine).length,
          },
          ...{ clicked: of('clicked').length, complained: of('complained').length },
          ...{ unsubscribed: of('unsubscribed').length },
        }).toEqual(withoutNames(row));
      }
      const named = new Set(
        [...distinct.values()]
          .filter(({ campaign }) => campaign)
          .map(({ campaign, variant }) => `${campaign} ${variant}`),
      );
      expect(named.size).toBe(expected.campaigns.length);
    }
  });

  it('agrees on suppressions with the rules applied to what the adapters read', () => {
    expect(naiveSuppressions(readAll().events)).toEqual(expected.suppressions.recipients);
    expect(Object.keys(expected.suppressions.byReason).sort()).toEqual([
      'complaint',
      'hard_bounce',
      'soft_bounces',
      'unsubscribe',
    ]);
  });

  it('has a better variant B, as the demo shows', () => {
    const rate = (variant: string) => {
      const rows = expected.campaigns.filter((row) => row.variant === variant);
      const sum = (name: 'opened' | 'machineOpened' | 'delivered') =>
        rows.reduce((total, row) => total + row[name], 0);
      return (sum('opened') - sum('machineOpened')) / sum('delivered');
    };
    expect(rate('B')).toBeGreaterThan(rate('A') * 1.1);
  });
});

function withoutNames({
  campaign: _campaign,
  variant: _variant,
  ...counts
}: Expectation['campaigns'][number]) {
  return counts;
}

/** The fields that matter of the events that a step must come out as. */
function expectedEvents(step: Step) {
  const { message, type, at, detail } = step;
  const names = senderOf(message.esp).names(step);
  const { omits = [] } = senderOf(message.esp).speech;
  return message.addressees.map(({ recipient }) => ({
    type,
    recipient: recipient.key,
    occurred_at: new Date(at).toISOString(),
    campaign: names.campaign ?? null,
    variant: names.variant ?? null,
    ...(detail.scope ? { scope: names.scope } : {}),
    ...(type === 'opened' || type === 'clicked' ? { is_machine: names.machine ?? null } : {}),
    ...(type === 'bounced' ? { bounce_class: detail.failure?.bounceClass } : {}),
    ...(type === 'clicked' ? { url: omits.includes('url') ? null : detail.url } : {}),
    run: omits.includes('metadata') ? undefined : RUN,
  }));
}

function shown(event: { readonly [field: string]: unknown }, told: ReturnType<typeof expectedEvents>) {
  const keys = Object.keys(told.find(({ type }) => type === event.type) ?? {});
  const metadata = event.metadata as { readonly [key: string]: string };
  const own = { ...event, recipient: recipientKey(String(event.recipient)), run: metadata.run };
  const ids = [event.esp_message_id, event.message_id];
  expect(ids.some((id) => typeof id === 'string' && id.startsWith(`${RUN}-`))).toBe(true);
  // An older SES notification cannot name the campaign, but then there is none.
  return Object.fromEntries(keys.map((key) => [key, own[key as keyof typeof own]]));
}

/** In time order, event by event, from nothing but normalized events. */
function naiveSuppressions(events: readonly EmailEvent[]) {
  // Of each recipient what an account says: it is what that account takes back.
  const streaks = new Map<string, Map<string, number>>();
  const left = new Map<string, Map<string, Set<string>>>();
  const active = new Map<string, Set<string>>();
  for (const event of [...new Map(events.map((one) => [one.event_id, one])).values()].sort(
    (a, b) => a.occurred_at - b.occurred_at,
  )) {
    const key = recipientKey(event.recipient);
    const reasons = active.get(key) ?? new Set();
    active.set(key, reasons);
    const unsubscribe = event.scope === 'all' ? 'unsubscribe' : `unsubscribe:${event.scope}`;
    const leavers = innerOf(left, key, unsubscribe, () => new Set<string>());
    const streak = innerOf(streaks, key, event.esp, () => 0);
    if (event.type === 'complained') reasons.add('complaint');
    if (event.type === 'unsubscribed') leavers.get(unsubscribe)?.add(event.esp);
    if (event.type === 'subscribed') leavers.get(unsubscribe)?.delete(event.esp);
    for (const [reason, esps] of leavers)
      if (esps.size > 0) reasons.add(reason);
      else reasons.delete(reason);
    if (event.type === 'bounced' && event.bounce_class === 'hard') reasons.add('hard_bounce');
    if (event.type === 'bounced' && event.bounce_class === 'soft')
      streak.set(event.esp, (streak.get(event.esp) ?? 0) + 1);
    if (event.type === 'delivered') streak.delete(event.esp);
    if ([...streak.values()].reduce((sum, count) => sum + count, 0) >= 5) reasons.add('soft_bounces');
    else reasons.delete('soft_bounces');
  }
  const found: { [recipient: string]: object } = {};
  for (const [key, reasons] of active) {
    if (reasons.size === 0) continue;
    const suppressed = [...reasons].some((reason) => !reason.includes(':'));
    found[key] = { suppressed, reasons: [...reasons].sort() };
  }
  return found;
}

function innerOf<V>(outer: Map<string, Map<string, V>>, key: string, inner: string, make: () => V) {
  const found = outer.get(key) ?? new Map<string, V>();
  outer.set(key, found);
  if (!found.has(inner)) found.set(inner, make());
  return found;
}

const REFUSALS = accounts
  .flatMap(({ esp, contract }) => [
    `missing-signature ${esp} ${contract.missing}`,
    `wrong-signature ${esp} ${contract.wrongKey}`,
    ...(senderOf(esp).dated ? [`stale ${esp} TIMESTAMP_STALE`] : []),
  ])
  .sort();
