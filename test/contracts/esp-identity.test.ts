import { readFileSync } from 'node:fs';
import { IDENTITY_VERSION, normalizeRequest, type Origin, toEmailEvent } from '@email-events/esps';
import type { EmailEvent } from '@email-events/schemas';
import { describe, expect, it } from 'vitest';
import { adapterOf, fixtureFolders, type LoadedFixture, loadFixtures, requestOf } from './esp-fixtures.ts';

/** By fixture: the item and the id of every event that version 1 of the identities made of it. Never changes. */
const VERSION_1: { readonly [fixture: string]: readonly string[] } = JSON.parse(
  readFileSync(new URL('esp-identity-version-1.json', import.meta.url), 'utf8'),
);

/** The fixtures whose events are not recognised, and why. */
const GIVEN_UP: { readonly [fixture: string]: string } = {
  'mandrill/foreign-byte':
    'the item with the byte was an event with replacement characters, and is a dead letter now',
  'resend/quoted-local-part': 'the recipient was cut out of the middle of its address',
};

function eventsOf({ esp, fixture }: LoadedFixture, more: Partial<Origin>): readonly EmailEvent[] {
  const request = requestOf(fixture);
  const origin = {
    source: 's',
    request_id: 'r',
    received_at: request.receivedAt,
    raw_partition: 0,
    raw_offset: 0,
  };
  try {
    const { options } = fixture.credentials;
    return normalizeRequest(adapterOf(esp), request, { options }).results.flatMap((result) =>
      'events' in result
        ? result.events.map((event) =>
            toEmailEvent(event, { ...origin, esp, ...more, item_index: result.index }),
          )
        : [],
    );
  } catch {
    return [];
  }
}

const named = (event: EmailEvent) => [event.event_id, ...event.known_as];
const OLD = { identityVersion: 1 };

describe.each(fixtureFolders())('%s', (esp) => {
  const fixtures = loadFixtures(esp);

  it('knows in a record of version 1 whatever version 1 made of it', () => {
    for (const loaded of fixtures) {
      const name = `${esp}/${loaded.name}`;
      if (name in GIVEN_UP) continue;
      const known = new Set(
        eventsOf(loaded, OLD).flatMap((event) => named(event).map((id) => `${event.item_index} ${id}`)),
      );
      expect(VERSION_1[name]?.filter((id) => !known.has(id)) ?? [], name).toEqual([]);
    }
  });

  it('gives in a record of version 1 the old id wherever the item is read as the same type', () => {
    for (const loaded of fixtures) {
      const [old, now] = [eventsOf(loaded, OLD), eventsOf(loaded, {})];
      for (const [index, event] of old.entries()) {
        expect(named(event), loaded.name).toContain(now[index]?.event_id);
        expect(named(now[index] as EmailEvent), loaded.name).toContain(event.event_id);
      }
    }
  });

  it('keeps the id when copies of version 1 are too long ago, and knows readings as another type for good', () => {
    for (const loaded of fixtures) {
      const [now, later] = [eventsOf(loaded, {}), eventsOf(loaded, { hasFormerIds: false })];
      for (const [index, event] of now.entries()) {
        const { known_as = [], ...rest } = later[index] ?? {};
        expect({ ...rest, known_as: event.known_as }, loaded.name).toEqual(event);
        expect(event.known_as, loaded.name).toEqual(expect.arrayContaining(known_as));
        const sameType = eventsOf(loaded, OLD)[index]?.event_id !== event.event_id;
        if (event.known_as.length === 1) expect(known_as, loaded.name).toHaveLength(sameType ? 0 : 1);
      }
    }
  });

  it('knows after an account was named what it knew before, and tells accounts apart', () => {
    for (const loaded of fixtures) {
      const before = eventsOf(loaded, {});
      const asked = eventsOf(loaded, { accountNow: 'a' });
      const [a, b] = ['a', 'b'].map((account) => eventsOf(loaded, { account, accountNow: account }));
      for (const [index, event] of before.entries()) {
        // Records from before keep their ids, whichever account is configured today.
        expect(asked[index]?.event_id).toBe(event.event_id);
        expect(named(asked[index] as EmailEvent)).toContain(a?.[index]?.event_id);
        expect(named(a?.[index] as EmailEvent)).toContain(event.event_id);
        expect(named(a?.[index] as EmailEvent)).not.toContain(b?.[index]?.event_id);
        expect(a?.[index]?.account).toBe('a');
      }
    }
  });
});

it('has no fixture of version 1 that is gone, and few that are not recognised', () => {
  const now = new Set(
    fixtureFolders().flatMap((esp) => loadFixtures(esp).map(({ name }) => `${esp}/${name}`)),
  );
  expect(Object.keys(VERSION_1).filter((name) => !now.has(name))).toEqual([]);
  expect(Object.keys(VERSION_1).length).toBeGreaterThan(400);
  expect(IDENTITY_VERSION).toBe(2);
});
