import { pipelineConfig } from '@email-events/cli/services';
import { adapters, DEFAULT_TIME_BOUNDS, type EspRequest, inspectRequest } from '@email-events/esps';
import { accountOf, createSigner, type Signer } from '@email-events/esps/accounts';
import { beforeAll, describe, expect, it } from 'vitest';
import { adapterOf, type LoadedFixture, loadFixtures } from './esp-fixtures.ts';

// To break the time of a genuine request takes this: where it is, how it is written, and how to sign the rest again.

/** Undefined: the field is taken away. */
export type Broken = undefined | string | Date;

/**
 * Returns the JSON or query of this request with another time, for the signer. Undefined: it says no time, or is no JSON and no query.
 * (Mailgun's forms from before 2018 take theirs out of the signature, so without it nothing is signed.)
 */
function withTime({ esp, fixture }: LoadedFixture, broken: Broken): string | undefined {
  const { request } = fixture;
  if (request.method === 'GET') return inQuery(esp, request.url, broken);
  const text = Buffer.from(request.body, request.bodyEncoding ?? 'utf8').toString();
  const told = esp === 'mandrill' ? (new URLSearchParams(text).get('mandrill_events') ?? '') : text;
  const said = parsed(told);
  const content = esp === 'ses' ? parsed(String((said as { Message?: unknown } | null)?.Message)) : said;
  if (typeof content !== 'object' || content === null) return undefined;
  // The signer makes the proof again.
  const { signature: _, auth: __, ...unsigned } = content as { [name: string]: unknown };
  const changed = change(esp, Array.isArray(content) ? content : unsigned, broken);
  return changed.times === 0 ? undefined : JSON.stringify(changed.value);
}

function inQuery(esp: string, url: string, broken: Broken): string | undefined {
  const { token: _, ...said } = Object.fromEntries(new URLSearchParams(url.split('?')[1]));
  const { times, value } = change(esp, said, broken);
  return times === 0 ? undefined : String(new URLSearchParams(value as { [name: string]: string }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Every field of the name, however deep. */
function change(esp: string, root: unknown, broken: Broken): { times: number; value: unknown } {
  const { names, as } = accountOf(esp).contract.times;
  const written = !(broken instanceof Date)
    ? broken
    : as === 'text'
      ? broken.toISOString()
      : broken.getTime() / 1000;
  let times = 0;
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).flatMap(([name, inner]) => {
      if (!names.includes(name) || typeof inner === 'object') return [[name, visit(inner)]];
      times++;
      return written === undefined ? [] : [[name, written]];
    });
    return Object.fromEntries(fields);
  };
  const value = visit(root);
  return { times, value };
}

// An event is worth more than its time: a complaint whose date cannot be read still suppresses.
const AT = Date.parse('2026-11-06T09:15:30.500Z');
const HOUR = 3_600_000;
const names = adapters.map(({ name }) => name);

it('believes by default what the configuration says by default', () => {
  expect(pipelineConfig.parse({}).normalize).toMatchObject(DEFAULT_TIME_BOUNDS);
});

describe.each(names)('%s', (esp) => {
  let signer: Signer;
  /** Genuine requests of which every item comes out and says a time. */
  let fixtures: LoadedFixture[];
  beforeAll(async () => {
    signer = await createSigner(esp);
    fixtures = loadFixtures(esp).filter(isWhole);
  });

  const signed = (loaded: LoadedFixture, broken: Broken, receivedAt = AT): EspRequest => {
    // Of what is sent again, SNS alone keeps the time at which it was told first.
    const at = esp === 'ses' ? AT : receivedAt;
    return signer.sign({ body: withTime(loaded, broken) ?? '', at, receivedAt, id: 'msg_1' });
  };
  const read = (request: EspRequest, { fixture }: LoadedFixture) =>
    inspectRequest({
      adapter: adapterOf(esp),
      verifier: adapterOf(esp).verifier(signer.settings),
      request,
      resources: signer.resources,
      options: fixture.credentials.options,
    });

  /** The events, after seeing that none is lost, and that the same comes out, id by id, of a repetition three hours later. */
  function eventsWith(loaded: LoadedFixture, broken: Broken) {
    const { events, ...rest } = read(signed(loaded, broken), loaded);
    expect(rest, loaded.name).toMatchObject({ verified: true, deadLetters: [] });
    expect(events.map(({ type }) => type)).toEqual(loaded.fixture.expected.events.map(({ type }) => type));
    const repeated = read(signed(loaded, broken, AT + 3 * HOUR), loaded);
    const ids = (all: typeof events) => all.map(({ event_id }) => event_id);
    expect(ids(repeated.events), loaded.name).toEqual(ids(events));
    const distinct = (all: typeof events) => new Set(ids(all)).size;
    expect(distinct(events), loaded.name).toBe(distinct(loaded.fixture.expected.events as typeof events));
    return events.map(({ occurred_at, occurred_at_source, occurred_at_said }) => [
      occurred_at,
      occurred_at_source,
      occurred_at_said,
    ]);
  }

  const iso = (time: number) => new Date(time).toISOString();
  // SNS says itself when it told.
  const unread = (said: string | null) =>
    esp === 'ses' ? [iso(AT), 'esp', null] : [iso(AT), 'received', said];

  it.each([
    ['is missing', undefined, unread(null)],
    ['cannot be read', 'the day before', unread('the day before')],
    ['is far ahead', new Date('2099-01-01T00:00:00.000Z'), [iso(AT), 'bounded', '2099-01-01T00:00:00.000Z']],
    [
      'is long ago',
      new Date('1999-12-31T00:00:00.000Z'),
      [iso(AT - 400 * 24 * HOUR), 'bounded', '1999-12-31T00:00:00.000Z'],
    ],
  ])('an event whose time %s is still an event, and one event', (_, broken, expected) => {
    const told = fixtures.filter((loaded) => withTime(loaded, broken) !== undefined);
    expect(told.length).toBeGreaterThan(0);
    for (const loaded of told)
      for (const time of eventsWith(loaded, broken)) expect(time, loaded.name).toEqual(expected);
  });
});

/** Says when the mail was sent, and not when it was complained about. */
const NO_TIME_OF_ITS_OWN = 'complaint-without-time';

function isWhole({ name, fixture: { expected } }: LoadedFixture): boolean {
  return (
    name !== NO_TIME_OF_ITS_OWN &&
    expected.events.length > 0 &&
    expected.deadLetters.length === 0 &&
    expected.events.every(({ occurred_at_source }) => (occurred_at_source ?? 'esp') !== 'received')
  );
}

it('tells events apart by all there is of them where no time does', () => {
  const opened = { event: 'open', email: 'ada@example.com', MessageID: 7, time: 'soon', ip: '203.0.113.1' };
  const body = Buffer.from(JSON.stringify([opened, { ...opened, geo: 'RS' }, opened]));
  const { events } = inspectRequest({
    adapter: adapterOf('mailjet'),
    verifier: { verify: () => ({ outcome: 'verified' }) },
    request: { method: 'POST', url: '/', headers: {}, body, receivedAt: AT },
  });
  const [one, other, again] = events.map(({ event_id }) => event_id);
  expect(other).not.toBe(one);
  expect(again).toBe(one);
});
