import { describe, expect, it } from 'vitest';
import type { EspAdapter, EspEvent, EspRequest } from './adapter.ts';
import { sendgrid } from './esps/sendgrid.ts';
import { headerMap, MAX_FIELD_LENGTH, mapFields, NO_HEADERS } from './field-mapping.ts';
import { DEFAULT_MAPPING, type FieldSettings, fieldMapping } from './field-paths.ts';
import { normalizeRequest } from './normalize.ts';
import { adapters } from './registry.ts';

const bare: EspEvent = {
  type: 'opened',
  esp_event_type: 'open',
  occurred_at: 1,
  recipient: 'ada@example.com',
  identity: ['id', 'e1'],
};

/** The fields of an event after mapping, and the paths where their values were found. */
function mapped(
  more: Partial<EspEvent>,
  settings?: FieldSettings,
  headers: readonly [string, string][] = [],
) {
  let from = {};
  const event = mapFields(
    { ...bare, ...more },
    fieldMapping(settings),
    headerMap(headers),
    (_event, found) => {
      from = found;
    },
  );
  const { campaign, variant, stream, metadata } = event;
  return { campaign, variant, stream, user: metadata?.user, from };
}

describe('what is looked for by itself', () => {
  it('is metadata of these names, where the ESP says nothing', () => {
    const metadata = { campaign: 'spring', variant: 'b', stream: 'news', user: 'u-1', utm_campaign: 'other' };
    expect(mapped({ metadata })).toEqual({
      ...{ campaign: 'spring', variant: 'b', stream: 'news', user: 'u-1' },
      from: {
        ...{ campaign: 'metadata.campaign', variant: 'metadata.variant', stream: 'metadata.stream' },
        user: 'metadata.user',
      },
    });
  });

  it('is utm_campaign where there is no campaign', () => {
    expect(mapped({ metadata: { campaign: ' ', utm_campaign: 'spring' } })).toMatchObject({
      campaign: 'spring',
      from: { campaign: 'metadata.utm_campaign' },
    });
  });

  it("is the ESP's own first, but for the user, whose id is passed on only if somebody asks", () => {
    const own = { campaign: 'own', variant: 'own', stream: 'own', user: 'own' };
    const metadata = { campaign: 'c', variant: 'v', stream: 's' };
    expect(mapped({ ...own, metadata })).toEqual({
      ...{ campaign: 'own', variant: 'own', stream: 'own', user: undefined },
      from: { campaign: 'esp', variant: 'esp', stream: 'esp' },
    });
    expect(mapped(own, { user: 'esp' })).toMatchObject({ user: 'own', from: { user: 'esp' } });
  });

  it('leaves an event as it is where nobody says anything', () => {
    const event = { ...bare, metadata: { order: '1' }, tags: ['campaign:x'] };
    expect(mapFields(event, DEFAULT_MAPPING, NO_HEADERS)).toBe(event);
  });

  it('takes no member of Object for metadata', () => {
    expect(
      mapped({ metadata: {} }, { campaign: ['metadata.constructor', 'metadata.__proto__'] }),
    ).toMatchObject({
      campaign: undefined,
    });
  });
});

describe('what a source names', () => {
  const metadata = { mailing: 'm', 'a.b c': 'dots' };
  const tags = ['vip', 'campaigns:no', 'campaign:', 'campaign: spring', 'campaign:late'];

  it.each<[FieldSettings['campaign'], string, string]>([
    ['metadata.mailing', 'm', 'metadata.mailing'],
    ['metadata.a.b c', 'dots', 'metadata.a.b c'],
    ['tag.campaign', 'spring', 'tag.campaign'],
    ['headers.X-Campaign', 'h', 'headers.X-Campaign'],
    [['metadata.none', 'tag.none', 'headers.none', 'metadata.mailing'], 'm', 'metadata.mailing'],
    [['esp', 'metadata.mailing'], 'own', 'esp'],
    ['esp', 'own', 'esp'],
    // The configured path goes first; the ESP's own value stands where that path has none.
    ['metadata.none', 'own', 'esp'],
  ])('%j: %s', (campaign, value, path) => {
    const headers: [string, string][] = [
      ['x-campaign', ' '],
      ['X-CAMPAIGN', 'h'],
      ['x-campaign', 'second'],
    ];
    expect(mapped({ campaign: 'own', metadata, tags }, { campaign }, headers)).toMatchObject({
      campaign: value,
      from: { campaign: path },
    });
  });

  it('takes the place of what is looked for by itself', () => {
    const event = { metadata: { campaign: 'c', utm_campaign: 'u', variant: 'v' } };
    expect(mapped(event, { campaign: 'metadata.none' })).toMatchObject({ campaign: undefined, variant: 'v' });
  });

  it('may be the user, which is metadata.user whatever else is there', () => {
    const event = { metadata: { customer: 'c-1', user: 'u-1' } };
    expect(mapped(event, { user: 'metadata.customer' }).user).toBe('c-1');
    expect(mapped(event, { user: 'metadata.none' })).toMatchObject({
      user: 'u-1',
      from: { user: 'metadata.user' },
    });
    expect(mapped({}, { user: 'headers.x-user' }, [['X-User', 'u-2']]).user).toBe('u-2');
  });

  it('asks for headers only where it names one', () => {
    expect(DEFAULT_MAPPING.readsHeaders).toBe(false);
    expect(fieldMapping({ stream: ['esp', 'headers.x'] }).readsHeaders).toBe(true);
  });
});

describe('what senders write', () => {
  const long = 'x'.repeat(100_000);

  it('is cut, wherever it is from', () => {
    const cut = 'x'.repeat(MAX_FIELD_LENGTH);
    expect(mapped({ metadata: { campaign: long } }).campaign).toBe(cut);
    expect(mapped({ campaign: long }).campaign).toBe(cut);
    expect(mapped({ tags: [`campaign:${long}`] }, { campaign: 'tag.campaign' }).campaign).toBe(cut);
    expect(mapped({}, { campaign: 'headers.x' }, [['x', long]]).campaign).toBe(cut);
    expect(mapped({ metadata: { id: long } }, { user: 'metadata.id' }).user).toBe(cut);
  });

  it('is cut between characters', () => {
    const campaign = mapped({ metadata: { campaign: `${'x'.repeat(MAX_FIELD_LENGTH - 1)}😀` } }).campaign;
    expect(campaign).toBe('x'.repeat(MAX_FIELD_LENGTH - 1));
  });

  it('stays whole in the metadata that it is from', () => {
    const event = { ...bare, metadata: { user: long, campaign: long } };
    expect(mapFields(event, DEFAULT_MAPPING, NO_HEADERS).metadata).toBe(event.metadata);
  });

  it.each(['', ' \n', 'null', '[]', '{}'])('is nothing: %j', (campaign) => {
    expect(mapped({ metadata: { campaign, utm_campaign: 'u' } }).campaign).toBe('u');
  });
});

const request: EspRequest = { method: 'POST', url: '/', headers: {}, body: Buffer.from('{}'), receivedAt: 1 };
const RECIPIENTS = 1_000;

/** One item about many recipients, and how often its headers were read. */
function crowded(event: Partial<EspEvent>, headers: readonly [string, string][] = []) {
  const reads = { count: 0 };
  const adapter: EspAdapter = {
    ...sendgrid,
    split: () => [{ index: 0, value: {}, text: '{}' }],
    *normalize() {
      for (let n = 0; n < RECIPIENTS; n++)
        yield {
          ...{ type: 'opened', esp_event_type: 'open', occurred_at: 1, ...event },
          ...{ recipient: `r${n}@example.com`, identity: ['n', n] },
        };
    },
    headers: () => {
      reads.count++;
      return headers;
    },
  };
  const read = (fields?: FieldSettings) =>
    normalizeRequest(adapter, request, { fields: fields && fieldMapping(fields) }).results.flatMap(
      (result) => ('events' in result ? result.events : []),
    );
  return { read, reads };
}

describe('reading them', () => {
  it('reads the headers once for all recipients of an item, and only for a source that names one', () => {
    const { read, reads } = crowded({}, [['X-Campaign', 'spring']]);
    expect(read().length).toBe(RECIPIENTS);
    expect(reads.count).toBe(0);
    const events = read({ campaign: 'headers.x-campaign' });
    expect(new Set(events.map(({ campaign }) => campaign))).toEqual(new Set(['spring']));
    expect(reads.count).toBe(1);
  });

  it('counts what it adds towards the budget of the request', () => {
    const long = 'x'.repeat(100_000);
    const { read } = crowded({}, [['X-Campaign', long]]);
    const fields = {
      campaign: 'headers.x-campaign',
      variant: 'headers.x-campaign',
      stream: 'headers.x-campaign',
    };
    // A thousand events of some 360 bytes are within the half megabyte that any request may come to, three times 256 bytes more each are not.
    expect(MAX_FIELD_LENGTH).toBe(256);
    expect(read({ campaign: 'esp' })).toHaveLength(RECIPIENTS);
    expect(() => read(fields)).toThrow('the events come to more than');
  });

  it('no item is so odd that reading its headers fails', () => {
    const odd = [
      undefined,
      null,
      7,
      'x',
      [],
      {},
      { headers: 'x' },
      { data: { headers: [null, { name: {} }] } },
    ];
    const more = [
      { Message: null },
      { Message: { mail: { headers: 7 } } },
      { 'event-data': { message: [] } },
    ];
    for (const { headers } of adapters as readonly EspAdapter[])
      for (const value of [...odd, ...more])
        expect([...(headers?.({ index: 0, value, text: '' }) ?? [])].every((pair) => pair.length === 2)).toBe(
          true,
        );
  });
});
