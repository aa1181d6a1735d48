import { EVENT_TYPES, recipientDomain } from '@email-events/schemas';
import { describe, expect, it } from 'vitest';
import { type EspAdapter, type EspEvent, type EspRequest, Refusal } from './adapter.ts';
import { DEFAULT_TIME_BOUNDS, eventTime, toEmailEvent } from './event.ts';
import { inspectRequest } from './inspect.ts';
import { normalizeRequest } from './normalize.ts';
import { adapters, findAdapter } from './registry.ts';

const origin = {
  esp: 'sendgrid',
  source: 'main',
  request_id: 'r',
  received_at: 1_793_610_930_000,
  raw_partition: 1,
  raw_offset: 2,
  item_index: 3,
};
const event = (more: Partial<EspEvent> = {}): EspEvent => ({
  type: 'opened',
  esp_event_type: 'open',
  occurred_at: 1_793_610_929_000,
  recipient: 'Ada@Exämple.com',
  identity: ['id', 'e1'],
  ...more,
});
const id = (more: Partial<EspEvent>, esp = 'sendgrid') =>
  toEmailEvent(event(more), { ...origin, esp }).event_id;

describe('toEmailEvent', () => {
  it('fills what the adapter left out', () => {
    const made = toEmailEvent(event(), origin);
    expect(made).toMatchObject({
      ...origin,
      type: 'opened',
      recipient: 'Ada@Exämple.com',
      tags: [],
      metadata: {},
    });
    expect(made.recipient_domain).toBe(recipientDomain('Ada@Exämple.com'));
    expect(Object.values(made)).not.toContain(undefined);
    expect(Object.keys(toEmailEvent(event({ type: 'other', payload: '{}', tags: ['x'] }), origin))).toEqual(
      Object.keys(made),
    );
  });

  it('gives one id to every copy, whatever else differs', () => {
    expect(id({})).toMatch(/^[0-9a-f]{32}$/);
    expect(id({ recipient: ' ada@exämple.com', user_agent: 'x', occurred_at: 1 })).toBe(id({}));
  });

  it('gives different ids to what differs in ESP, type, recipient or any part of the identity', () => {
    const ids = [
      id({}),
      id({}, 'mailgun'),
      id({ type: 'clicked' }),
      id({ recipient: 'bob@example.com' }),
      id({ identity: ['id', 'e2'] }),
      id({ identity: ['i', 'de1'] }),
      id({ identity: ['id', 'e', '1'] }),
      id({ identity: ['id', 'e1', null] }),
      id({ identity: ['id', 'e1', ''] }),
      id({ identity: ['id","e1'] }),
      id({ identity: ['id', 1] }),
      id({ identity: ['id', '1'] }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

const request: EspRequest = {
  method: 'POST',
  url: '/',
  headers: {},
  body: Buffer.alloc(0),
  receivedAt: origin.received_at,
};
const [model] = adapters;
if (!model) throw new Error('no adapters');

/** An adapter of three items: one good, one refused, one that makes it fail. */
const clumsy: EspAdapter = {
  ...model,
  verifier: () => ({ verify: () => ({ outcome: 'verified' }) }),
  split: () => [0, 1, 2].map((index) => ({ index, value: index, text: `item ${index}` })),
  normalize: ({ index }) => {
    if (index === 1) throw new Refusal('NORMALIZE_ITEM_INVALID', 'no event');
    if (index === 2) throw new TypeError('secret@example.com is not a function');
    return [event()];
  },
};

describe('normalizeRequest', () => {
  it('refuses a bad item alone, and an unforeseen failure without quoting it', () => {
    expect(normalizeRequest(clumsy, request)).toEqual({
      items: 3,
      results: [
        { index: 0, events: [event()] },
        { index: 1, code: 'NORMALIZE_ITEM_INVALID', message: 'no event', item: 'item 1' },
        {
          index: 2,
          code: 'NORMALIZE_UNEXPECTED',
          message: 'the adapter failed with TypeError',
          item: 'item 2',
        },
      ],
    });
  });

  it('throws only Refusal for a body as a whole', () => {
    const broken: EspAdapter = {
      ...clumsy,
      split: () => {
        throw new TypeError('x');
      },
    };
    expect(() => normalizeRequest(broken, request)).toThrow(
      expect.objectContaining({ code: 'NORMALIZE_UNEXPECTED' }),
    );
  });
});

describe('inspectRequest', () => {
  const inspect = (adapter: EspAdapter) =>
    inspectRequest({ adapter, verifier: adapter.verifier({ secrets: [], options: {} }), request });

  it('shows events with the fields of their type, and dead letters by item', () => {
    const { events, ...rest } = inspect(clumsy);
    expect(rest).toEqual({
      verified: true,
      reason: null,
      handshake: false,
      deadLetters: [
        { index: 1, code: 'NORMALIZE_ITEM_INVALID' },
        { index: 2, code: 'NORMALIZE_UNEXPECTED' },
      ],
    });
    expect(events[0]).toMatchObject({
      type: 'opened',
      occurred_at: '2026-11-02T09:15:29.000Z',
      is_machine: null,
    });
    expect(events[0]).not.toHaveProperty('url');
  });

  it('shows no events unless the request is verified and no handshake', () => {
    const with_ = (verdict: ReturnType<ReturnType<EspAdapter['verifier']>['verify']>) =>
      inspect({ ...clumsy, verifier: () => ({ verify: () => verdict }) });
    const nothing = { events: [], deadLetters: [] };
    expect(with_({ outcome: 'refused', code: 'SIGNATURE_WRONG' })).toEqual({
      verified: false,
      reason: 'SIGNATURE_WRONG',
      handshake: false,
      ...nothing,
    });
    expect(with_({ outcome: 'needs', url: 'https://x' })).toMatchObject({
      verified: false,
      reason: 'CERTIFICATE_UNUSABLE',
    });
    expect(with_({ outcome: 'verified', handshake: { kind: 'acknowledge', note: '' } })).toEqual({
      verified: true,
      reason: null,
      handshake: true,
      ...nothing,
    });
  });
});

it('finds adapters by name and nothing else', () => {
  expect(findAdapter('sendgrid')?.name).toBe('sendgrid');
  expect(findAdapter('constructor')).toBeUndefined();
  expect(new Set(adapters.map(({ name }) => name)).size).toBe(adapters.length);
  for (const { facts } of adapters)
    for (const type of Object.values(facts.eventTypes)) expect(EVENT_TYPES).toContain(type);
});

const RECEIVED = Date.parse('2026-11-02T09:15:30.000Z');
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const timeOf = (told: Parameters<typeof eventTime>[0], bounds = DEFAULT_TIME_BOUNDS) => {
  const time = eventTime(told, RECEIVED, bounds);
  return [time.occurred_at, time.occurred_at_source, time.occurred_at_said];
};

it.each([0, -1, 10 * MINUTE, -400 * DAY])('believes a time that is %i ms from the receipt', (distance) => {
  expect(timeOf(RECEIVED + distance)).toEqual([RECEIVED + distance, 'esp', null]);
});

it('moves what has not happened yet to the receipt, and what is too old to the oldest that is believed', () => {
  expect(timeOf(RECEIVED + 10 * MINUTE + 1)).toEqual([RECEIVED, 'bounded', '2026-11-02T09:25:30.001Z']);
  expect(timeOf(Date.UTC(2099, 0, 1))).toEqual([RECEIVED, 'bounded', '2099-01-01T00:00:00.000Z']);
  const oldest = RECEIVED - 400 * DAY;
  expect(timeOf(oldest - 1)).toEqual([oldest, 'bounded', new Date(oldest - 1).toISOString()]);
  expect(timeOf(1)).toEqual([oldest, 'bounded', '1970-01-01T00:00:00.001Z']);
});

it('believes as much as it is told to', () => {
  const bounds = { maxFutureMinutes: 1, maxAgeDays: 2 };
  expect(timeOf(RECEIVED + MINUTE, bounds)[1]).toBe('esp');
  expect(timeOf(RECEIVED + MINUTE + 1, bounds)).toEqual([RECEIVED, 'bounded', '2026-11-02T09:16:30.001Z']);
  expect(timeOf(RECEIVED - 3 * DAY, bounds)[0]).toBe(RECEIVED - 2 * DAY);
});

it('takes the receipt where no time can be read, and keeps what was said', () => {
  expect(timeOf({ said: 'soon' })).toEqual([RECEIVED, 'received', 'soon']);
  expect(timeOf({ said: null })).toEqual([RECEIVED, 'received', null]);
});
