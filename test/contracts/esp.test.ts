import { adapters, type EspRequest, normalizeRequest, toEmailEvent } from '@email-events/esps';
import { accountOf, accounts, createSigner, type SignInput } from '@email-events/esps/accounts';
import { withoutProof } from '@email-events/esps/accounts/kit/signing';
import { avroType, EVENT_TYPES } from '@email-events/schemas';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  actual,
  adapterOf,
  fixtureFolders,
  type LoadedFixture,
  loadFixtures,
  requestOf,
  saveFixture,
  verifierOf,
} from './esp-fixtures.ts';

const HOUR = 3_600_000;
const update = process.env.UPDATE_GOLDEN === '1';
if (update && process.env.CI) throw new Error('UPDATE_GOLDEN rewrites expectations: not in CI');

const names = adapters.map(({ name }) => name);

it('has an account and a folder of fixtures for every adapter, and an adapter for each of these', () => {
  expect(accounts.map(({ esp }) => esp).sort()).toEqual([...names].sort());
  expect(fixtureFolders()).toEqual([...names].sort());
});

describe.each(names)('%s fixtures', (esp) => {
  const fixtures = loadFixtures(esp);

  it.each(fixtures)('$name', (loaded) => {
    const result = actual(loaded);
    if (update) saveFixture(loaded.path, { ...loaded.fixture, ...result });
    else {
      expect(JSON.parse(JSON.stringify(result.expected))).toEqual(loaded.fixture.expected);
      expect(result.unmapped).toEqual(loaded.fixture.unmapped);
    }
  });

  it('have an event of every type that the adapter knows', () => {
    const known = new Set<string>(Object.values(adapterOf(esp).facts.eventTypes));
    const shown = new Set(fixtures.flatMap(({ fixture }) => fixture.expected.events.map(({ type }) => type)));
    expect(EVENT_TYPES.filter((type) => known.has(type) && !shown.has(type))).toEqual([]);
  });

  it.each(fixtures)(
    '$name: same result twice, nothing changed, after the headers that are kept too',
    (loaded) => {
      const request = requestOf(loaded.fixture);
      const before = JSON.stringify({ ...request, body: request.body.toString('base64') });
      const first = normalized(loaded, request);
      const verdict = verifierOf(loaded).verify(request);
      expect(normalized(loaded, request)).toEqual(first);
      expect(verifierOf(loaded).verify(request)).toEqual(verdict);
      expect(JSON.stringify({ ...request, body: request.body.toString('base64') })).toBe(before);
      expect(normalized(loaded, { ...request, headers: keptHeaders(esp, request) })).toEqual(first);
    },
  );

  it.each(fixtures)('$name: every event is a value of its Avro schema', (loaded) => {
    for (const event of emailEvents(loaded)) {
      expect(avroType(event.type).isValid(event), event.type).toBe(true);
      expect(avroType('normalized').isValid({ events: [event] })).toBe(true);
      expect(event.event_id).toMatch(/^[0-9a-f]{32}$/);
    }
  });
});

/** Fixtures that tell of the same events must agree in their ids, and no others. */
describe('one event reported twice', () => {
  it.each([
    ['ses', 'bounce', 'bounce-notification'],
    ['ses', 'delivery', 'delivery-notification'],
    ['postmark', 'bounce-hard', 'subscription-hard-bounce'],
    ['postmark', 'spam-complaint', 'subscription-complaint'],
    ['unisender-go', 'single-event', 'single-event-retried'],
    ['mailersend', 'flat-opened', 'flat-opened-unique'],
  ])('%s: %s and %s', (esp, one, other) => {
    const ids = [one, other].map((name) =>
      loadFixtures(esp)
        .find((loaded) => loaded.name === name)
        ?.fixture.expected.events.map(({ event_id }) => event_id),
    );
    expect(ids[0]).toHaveLength(1);
    expect(ids[1]).toEqual(ids[0]);
  });
});

const AT = Date.parse('2026-11-02T09:15:30.500Z');
describe.each(names)('%s verification', (esp) => {
  const scheme = accountOf(esp).contract;
  const adapter = adapterOf(esp);
  let ours: Awaited<ReturnType<typeof createSigner>>;
  let theirs: Awaited<ReturnType<typeof createSigner>>;
  beforeAll(async () => {
    ours = await createSigner(esp);
    theirs = await createSigner(esp);
  });

  const signed = (more: Partial<SignInput> = {}) => ours.sign({ body: scheme.body, at: AT, ...more });
  const verdict = (request: EspRequest) => adapter.verifier(ours.settings).verify(request, ours.resources);
  const code = (request: EspRequest) => {
    const result = verdict(request);
    return result.outcome === 'refused' ? result.code : result.outcome;
  };

  it('accepts what is genuine, again and again', () => {
    const request = signed();
    expect(verdict(request)).toMatchObject({ outcome: 'verified' });
    expect(code(request)).toBe('verified');
    expect(normalizeRequest(adapter, request).results).toHaveLength(1);
  });

  it('names a single-use token where the vendor has one, so that a replay with another body shows', () => {
    const [one, again, other] = [signed({ id: 't1' }), signed({ id: 't1' }), signed({ id: 't2' })].map(
      verdict,
    );
    const token = (result: typeof one) => (result?.outcome === 'verified' ? result.replayToken : 'refused');
    expect(token(one)).toBe(scheme.replayToken ? 't1' : undefined);
    expect(token(again)).toBe(token(one));
    expect(token(other)).toBe(scheme.replayToken ? 't2' : undefined);
  });

  it('refuses a changed body, where the body is signed', () => {
    const request = signed();
    const forged = changed(request, /a(@|%40)example\.com/g, 'b$1example.com');
    expect(forged).not.toEqual(request);
    expect(code(forged)).toBe(scheme.tampered === 'unnoticed' ? 'verified' : scheme.tampered);
  });

  it('refuses a body with one byte more or less, where the body is signed', () => {
    // SES signs what its JSON says, not how it is written.
    if (scheme.tampered === 'unnoticed' || esp === 'ses') return;
    const request = signed();
    expect(code({ ...request, body: Buffer.concat([request.body, Buffer.from(' ')]) })).toBe(
      'SIGNATURE_WRONG',
    );
    expect(code({ ...request, body: request.body.subarray(0, -1) })).toBe(
      scheme.truncated ?? 'SIGNATURE_WRONG',
    );
  });

  it('refuses another key', () => {
    const request = theirs.sign({ body: scheme.body, at: AT });
    expect(code(request)).toBe(scheme.wrongKey);
  });

  it('refuses when the proof is missing', () => {
    expect(code(withoutProof(signed(), scheme))).toBe(scheme.missing);
  });

  it('accepts old and new secret while keys rotate, in any order', () => {
    if (adapter.credentials.secret === null) return;
    const secrets = [...theirs.settings.secrets, ...ours.settings.secrets];
    for (const list of [secrets, secrets.toReversed()]) {
      const verifier = adapter.verifier({ ...ours.settings, secrets: list });
      expect(verifier.verify(signed()).outcome).toBe('verified');
      expect(verifier.verify(theirs.sign({ body: scheme.body, at: AT })).outcome).toBe('verified');
    }
  });

  it('refuses what is stale or from the future, where a time is signed', () => {
    const at = (offset: number) => code(signed({ receivedAt: AT + offset }));
    if (!scheme.window) {
      expect(at(30 * 24 * HOUR)).toBe('verified');
      return;
    }
    const { past, future } = scheme.window;
    expect(at(past)).toBe('verified');
    expect(at(past + 1000)).toBe('TIMESTAMP_STALE');
    expect(at(-future)).toBe('verified');
    expect(at(-future - 1000)).toBe('TIMESTAMP_IN_FUTURE');
  });

  it('takes another window from toleranceSeconds, as number or text', () => {
    if (!scheme.window) return;
    for (const toleranceSeconds of [60, '60']) {
      const options = { ...ours.settings.options, toleranceSeconds };
      const verifier = adapter.verifier({ ...ours.settings, options });
      const received = (after: number) => verifier.verify(signed({ receivedAt: AT + after }), ours.resources);
      expect(received(60_000).outcome).toBe('verified');
      expect(received(62_000)).toMatchObject({ code: 'TIMESTAMP_STALE' });
    }
  });

  it('does not start without a usable secret, nor with options it does not know', () => {
    const unusable = scheme.anyKey ? [] : [['§']];
    const broken = adapter.credentials.secret === null ? [['x']] : [[], [''], [' '], ...unusable];
    for (const secrets of broken) {
      expect(() => adapter.verifier({ ...ours.settings, secrets }), JSON.stringify(secrets)).toThrow(
        /secret/,
      );
    }
    expect(() =>
      adapter.verifier({ ...ours.settings, options: { ...ours.settings.options, tpyo: 'x' } }),
    ).toThrow(/tpyo/);
  });
});

/** The request with something else in its body and its query. */
function changed(request: EspRequest, pattern: RegExp, by: string | ((match: string) => string)): EspRequest {
  const change = (text: string) => text.replace(pattern, by as string);
  return { ...request, url: change(request.url), body: Buffer.from(change(request.body.toString())) };
}

function normalized(loaded: LoadedFixture, request: EspRequest): unknown {
  try {
    return normalizeRequest(adapterOf(loaded.esp), request);
  } catch (error) {
    return String(error);
  }
}

function keptHeaders(esp: string, { headers }: EspRequest): EspRequest['headers'] {
  const kept = new Set(['content-type', ...adapterOf(esp).http.keepHeaders]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => kept.has(name)));
}

function emailEvents({ esp, fixture }: LoadedFixture) {
  const request = requestOf(fixture);
  if (fixture.expected.deadLetters.some(({ code }) => code === 'NORMALIZE_BODY_UNREADABLE')) return [];
  const origin = {
    esp,
    source: 's',
    request_id: 'r',
    received_at: request.receivedAt,
    raw_partition: 0,
    raw_offset: 0,
  };
  return normalizeRequest(adapterOf(esp), request).results.flatMap((result) =>
    'events' in result
      ? result.events.map((event) => toEmailEvent(event, { ...origin, item_index: result.index }))
      : [],
  );
}
