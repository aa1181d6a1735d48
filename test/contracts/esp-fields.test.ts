import {
  adapters,
  type EspEvent,
  type EspRequest,
  type FieldSettings,
  fieldMapping,
  type Item,
  inspectRequest,
  normalizeRequest,
  toEmailEvent,
} from '@email-events/esps';
import { accountOf } from '@email-events/esps/accounts';
import type { EmailEvent } from '@email-events/schemas';
import { describe, expect, it } from 'vitest';
import { adapterOf, type LoadedFixture, loadFixtures, requestOf, verifierOf } from './esp-fixtures.ts';

const names = adapters.map(({ name }) => name);
const reporting = (what: 'metadata' | 'tags' | 'headers') =>
  adapters.filter(({ facts }) => what in facts.fills).map(({ name }) => name);
/** Where the only key is the ESP's, senders cannot name one `campaign`. */
const namesOwnKeys = (esp: string) => accountOf(esp).contract.metadataKey === undefined;

describe.each(names)('%s', (esp) => {
  it('fills what it says that it fills, in some fixture, and nothing else', () => {
    const filled = new Set<string>();
    for (const { request, item } of itemsOf(esp)) {
      const { headers } = adapterOf(esp);
      if (headers && [...headers(item)].length > 0) filled.add('headers');
      for (const event of saidBy(esp, item, request)) for (const name of filledBy(event)) filled.add(name);
    }
    expect([...filled].sort()).toEqual(Object.keys(adapterOf(esp).facts.fills).sort());
  });

  it('gives the same events, but for these fields, whatever a source says of them', () => {
    for (const loaded of loadFixtures(esp)) {
      const anywhere = [
        'metadata.customer_id',
        'metadata.run',
        'tag.a',
        'headers.subject',
        'headers.x-campaign',
      ];
      const from = [...anywhere, ...keysOf(loaded).map((key) => `metadata.${key}`)];
      const mapped = eventsOf(loaded, {
        campaign: from,
        variant: from,
        stream: from,
        user: ['esp', ...from],
      });
      const bare = eventsOf(loaded, { campaign: 'esp', variant: 'esp', stream: 'esp' });
      expect(mapped.map(withoutFields), loaded.name).toEqual(bare.map(withoutFields));
    }
  });
});

describe.each(reporting('metadata'))('metadata of %s', (esp) => {
  it('is where a source may say that each field is from', () => {
    let found = 0;
    for (const loaded of loadFixtures(esp))
      for (const key of keysOf(loaded)) {
        const path = `metadata.${key}`;
        const { events, fieldsFrom } = inspected(loaded, {
          campaign: path,
          variant: path,
          stream: path,
          user: path,
        });
        for (const [index, { metadata, campaign, variant, stream }] of events.entries()) {
          const value = (metadata as { [key: string]: string })[key]?.trim();
          if (isNothing(value)) continue;
          found++;
          expect([campaign, variant, stream, (metadata as { user?: string }).user]).toEqual(
            Array(4).fill(value),
          );
          expect(fieldsFrom?.[index]).toEqual({ campaign: path, variant: path, stream: path, user: path });
        }
      }
    expect(found).toBeGreaterThan(0);
  });
});

describe.each(reporting('metadata').filter(namesOwnKeys))('what the sender calls so at %s', (esp) => {
  it.each([
    ['campaign', 'campaign'],
    ['utm_campaign', 'campaign'],
    ['variant', 'variant'],
    ['stream', 'stream'],
  ] as const)('%s is the %s, if the ESP does not say', (name, field) => {
    let found = 0;
    for (const loaded of loadFixtures(esp))
      for (const key of keysOf(loaded).filter(isUnmistakable)) {
        const request = renamed(requestOf(loaded.fixture), key, name);
        const own = read(esp, request, { [field]: 'esp' });
        for (const [index, event] of read(esp, request).entries()) {
          const value = event.metadata?.[name]?.trim();
          if (isNothing(value)) continue;
          found++;
          expect(event[field], loaded.name).toBe(own[index]?.[field] ?? value);
        }
      }
    expect(found).toBeGreaterThan(0);
  });
});

/** Its letters stand for nothing else in the request. */
const isUnmistakable = (key: string) => key.length > 4;
const isNothing = (value: string | undefined) =>
  value === undefined || ['', 'null', '[]', '{}'].includes(value);

describe.each(reporting('tags'))('tags of %s', (esp) => {
  it('are where a source may say that a field is from', () => {
    let found = 0;
    for (const loaded of loadFixtures(esp))
      for (const tag of new Set(eventsOf(loaded, {}).flatMap(({ tags }) => tags))) {
        if (!/^[a-z-]+$/.test(tag)) continue;
        const request = renamed(requestOf(loaded.fixture), tag, `campaign:${tag}`);
        for (const event of read(esp, request, { campaign: 'tag.campaign' })) {
          if (!event.tags?.includes(`campaign:${tag}`)) continue;
          if (event.tags.find((one) => one.startsWith('campaign:')) !== `campaign:${tag}`) continue;
          found++;
          expect(event.campaign, loaded.name).toBe(tag);
        }
      }
    expect(found).toBeGreaterThan(0);
  });
});

describe.each(reporting('headers'))('headers of %s', (esp) => {
  it('are where a source may say that a field is from', () => {
    let found = 0;
    for (const { loaded, item } of itemsOf(esp))
      for (const [name, value] of adapterOf(esp).headers?.(item) ?? []) {
        const path = `headers.${name.toUpperCase()}`;
        const { events, fieldsFrom } = inspected(loaded, { stream: path });
        found += events.length;
        for (const [index, { stream }] of events.entries()) {
          expect(stream, loaded.name).toBe(value.trim().slice(0, 256));
          expect(fieldsFrom?.[index]).toMatchObject({ stream: path });
        }
      }
    expect(found).toBeGreaterThan(0);
  });
});

interface FixtureItem {
  readonly loaded: LoadedFixture;
  readonly request: EspRequest;
  readonly item: Item;
}

function* itemsOf(esp: string): Generator<FixtureItem> {
  for (const loaded of loadFixtures(esp)) {
    const request = requestOf(loaded.fixture);
    for (const item of quietly(() => adapterOf(esp).split(request))) yield { loaded, request, item };
  }
}

/** The adapter's events, before anything is mapped. */
const saidBy = (esp: string, item: Item, request: EspRequest): readonly EspEvent[] =>
  quietly(() => [...adapterOf(esp).normalize(item, request)]);

function quietly<T>(work: () => readonly T[]): readonly T[] {
  try {
    return work();
  } catch {
    // It is another fixture's matter that this is no event.
    return [];
  }
}

function filledBy(event: EspEvent): string[] {
  const { campaign, variant, stream, user, metadata = {}, tags = [] } = event;
  const texts = Object.entries({ campaign, variant, stream, user }).filter(
    ([, text]) => (text ?? null) !== null,
  );
  return [
    ...texts.map(([name]) => name),
    ...(Object.keys(metadata).length > 0 ? ['metadata'] : []),
    ...(tags.length > 0 ? ['tags'] : []),
  ];
}

function read(esp: string, request: EspRequest, fields: FieldSettings = {}): readonly EspEvent[] {
  return quietly(() =>
    normalizeRequest(adapterOf(esp), request, { fields: fieldMapping(fields) }).results.flatMap((result) =>
      'events' in result ? result.events : [],
    ),
  );
}

function eventsOf({ esp, fixture }: LoadedFixture, fields: FieldSettings): EmailEvent[] {
  const { receivedAt, ...request } = requestOf(fixture);
  const origin = {
    esp,
    source: 's',
    request_id: 'r',
    received_at: receivedAt,
    raw_partition: 0,
    raw_offset: 0,
  };
  return read(esp, { ...request, receivedAt }, fields).map((event) =>
    toEmailEvent(event, { ...origin, item_index: 0 }),
  );
}

function withoutFields({ campaign: _c, variant: _v, stream: _s, metadata, ...event }: EmailEvent) {
  const { user: _u, ...rest } = metadata;
  return { ...event, metadata: rest };
}

const keysOf = (loaded: LoadedFixture): string[] => [
  ...new Set(eventsOf(loaded, {}).flatMap(({ metadata }) => Object.keys(metadata))),
];

/** Of a genuine request, by way of its verification. */
function inspected(loaded: LoadedFixture, fields: FieldSettings) {
  return inspectRequest({
    adapter: adapterOf(loaded.esp),
    verifier: verifierOf(loaded),
    request: requestOf(loaded.fixture),
    options: loaded.fixture.credentials.options,
    fields: fieldMapping(fields),
  });
}

/** The request with another word in the place of one, in body and URL. It is not signed any more. */
function renamed(request: EspRequest, from: string, to: string): EspRequest {
  const change = (text: string) => text.replaceAll(from, to);
  return {
    ...request,
    url: change(request.url),
    body: Buffer.from(change(request.body.toString('latin1')), 'latin1'),
  };
}
