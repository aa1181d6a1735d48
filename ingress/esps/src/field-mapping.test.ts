import { describe, expect, it } from 'vitest';
import type { EspEvent } from './adapter.ts';
import { headerMap, MAX_FIELD_LENGTH, mapFields, NO_HEADERS } from './field-mapping.ts';
import { DEFAULT_MAPPING, type FieldSettings, fieldMapping } from './field-paths.ts';

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
