import { isPseudonym, keyedId, pseudonymsOf } from '@email-events/core';
import { Secret } from '@email-events/core/config';
import { topics } from '@email-events/schemas';
import { expect, test } from 'vitest';
import type { ClickHouseValue } from '../rows.ts';
import { AGENT_OF_KIND, agentKept, agentKindOf } from './agents.ts';
import { Hiding } from './hide.ts';
import { isStoredPseudonym, keysInRows, storedAs } from './pseudonyms.ts';
import { PersonInTexts } from './texts.ts';

const [by] = pseudonymsOf({ erasure: { keys: [new Secret('k'.repeat(40))], graceDays: 30 } });
if (!by) throw new Error('a key');
const KEY = 'zoë.quill+news@xn--mller-kva.example';
const WRITTEN = 'Zoë.Quill+News@Müller.example';

const EVENT = {
  event_id: 'e'.repeat(32),
  occurred_at: 1,
  received_at: 2,
  esp: 'x',
  source: 'main',
  esp_message_id: 'bounce+zoë.quill+news=müller.example@host.example',
  message_id: '20260901.77@host.example',
  recipient: WRITTEN,
  recipient_domain: 'xn--mller-kva.example',
  sender: 'shop@shop.example',
  subject: 'Zoë.Quill, your order',
  campaign: 'quill',
  tags: ['vip', `to:${WRITTEN}`],
  metadata: { user: 'U-77', plan: `gold ${WRITTEN}`, name: 'Zoë Quill' },
  diagnostic: `550 5.1.1 <${WRITTEN}>: zoë.quill user unknown, was sent on to other@person.example`,
  user_agent: 'Mozilla/5.0 (Windows) Thunderbird/115',
  ip: '203.0.113.77',
  url: `https://me:secret@shop.example/u/Zo%C3%AB.quill%2Bnews%40m%C3%BCller.example/from/203.0.113.77?mail=${KEY}#top`,
  payload: `{"email":"${WRITTEN}"}`,
};

const hide = async (topic: string, key: string | null, value: unknown, kept: readonly string[] = []) => {
  const record = { topic, key, value: value as ClickHouseValue | null, timestamp: 5, attempts: 0 };
  const [hidden] = await new Hiding(by, new Set(kept)).hideAll([record]);
  if (!hidden) throw new Error('one record');
  return { ...hidden, value: hidden.value as unknown as { [name: string]: unknown } | null };
};

test('an event names nobody, and says what it said otherwise', async () => {
  const { key, value } = await hide(topics.events('clicked'), KEY, EVENT);
  expect(JSON.stringify([key, value]).toLowerCase()).not.toMatch(
    /quill[^"]|zo.{0,6}\.quill|203\.0\.113|thunderbird|secret|@person|u-77/,
  );
  expect(key).toBe(storedAs(KEY, by));
  expect(key).toMatch(/^hashed:[0-9a-f]{32}@xn--mller-kva\.example$/);
  expect(value).toMatchObject({
    recipient: key,
    recipient_domain: 'xn--mller-kva.example',
    event_id: keyedId(EVENT.event_id, by),
    message_id: EVENT.message_id,
    sender: EVENT.sender,
    campaign: 'quill',
    subject: null,
    tags: ['vip', 'to:<recipient>'],
    metadata: { user: expect.stringMatching(/^[0-9a-f]{32}$/) },
    diagnostic: '550 5.1.1 <<recipient>>: <recipient> user unknown, was sent on to <address>',
    ...{ user_agent: AGENT_OF_KIND.client, ip: null, payload: null },
    url: expect.stringMatching(/^https:\/\/shop\.example\/u\/<recipient>\/from\/<ip>\?h=[0-9a-f]{16}$/),
  });
});

test('what is kept by configuration is kept, less the recipient', async () => {
  const kept = ['subject', 'metadata.plan'];
  const { value } = await hide(topics.events('clicked'), KEY, EVENT, kept);
  expect(value).toMatchObject({ subject: '<recipient>, your order', metadata: { plan: 'gold <recipient>' } });
});

test('links that differ stay different, and the same one is the same for everybody', async () => {
  const linkOf = async (url: string, recipient = 'ada@example.com') =>
    (await hide(topics.events('clicked'), recipient, { ...EVENT, recipient, url })).value?.url;
  const one = await linkOf('https://shop.example/go?id=1');
  expect(await linkOf('https://shop.example/go?id=1', 'eve@example.com')).toBe(one);
  expect(await linkOf('https://shop.example/go?id=2')).not.toBe(one);
  expect(await linkOf('https://shop.example/@shop/a')).toBe('https://shop.example/@shop/a');
});

test('a recipient of nothing, or of what is no address, is stored without a domain that may be anything', async () => {
  const none = await hide(topics.events('other'), 'partition key', { ...EVENT, recipient: '' });
  expect(none.value).toMatchObject({ recipient: '', event_id: EVENT.event_id, payload: null, ip: null });
  expect(storedAs('quill@not a domain', by)).toMatch(/^hashed:[0-9a-f]{32}$/);
  expect(storedAs('quill', by)).toMatch(/^hashed:[0-9a-f]{32}$/);
  for (const recipient of ['quill', 'quill@not a domain', '"a b"@example.com'])
    expect(isStoredPseudonym(keysInRows(recipient, [by])[1] ?? '')).toBe(true);
});

test('a state, a tombstone and a mark are of the same pseudonym; who was erased already keeps hers', async () => {
  const state = {
    ...{
      recipient: 'zed.quill@example.com',
      suppressed: true,
      changed_at: 1,
      event_id: 'a'.repeat(32),
      revision: 2,
    },
    reasons: [
      {
        reason: 'hard_bounce',
        scope: 'all',
        since: 1,
        esp: 'x',
        source: 'main',
        account: null,
        event_id: 'b'.repeat(32),
        detail: '550 zed.quill unknown',
      },
    ],
  };
  const stored = storedAs(state.recipient, by);
  const { key, value } = await hide(topics.suppressions, state.recipient, state);
  expect([key, value?.recipient, value?.event_id]).toEqual([stored, stored, keyedId(state.event_id, by)]);
  expect(value?.reasons).toMatchObject([
    { event_id: keyedId('b'.repeat(32), by), detail: '550 <recipient> unknown' },
  ]);
  expect(await hide(topics.suppressions, state.recipient, null)).toMatchObject({ key: stored, value: null });
  const erased = by('zed.quill@example.com');
  expect(isPseudonym(erased)).toBe(true);
  expect((await hide(topics.suppressions, erased, { ...state, recipient: erased })).value?.recipient).toBe(
    erased,
  );
  const mark = {
    event_id: 'c'.repeat(32),
    replaced_by: 'd'.repeat(32),
    why: 'as zed.quill@example.com said',
  };
  const ofOldRow = await hide(topics.eventMarks, mark.event_id, { ...mark, recipient: state.recipient });
  const ofRow = await hide(topics.eventMarks, mark.event_id, { ...mark, recipient: stored });
  for (const { value: found } of [ofOldRow, ofRow])
    expect(found).toMatchObject({
      event_id: mark.event_id,
      recipient: stored,
      replaced_by: keyedId(mark.replaced_by, by),
    });
  expect(ofOldRow.value?.why).toBe('as <recipient> said');
});

test('a dead letter says where, when and why, and nothing of what it holds', async () => {
  const bytes = Buffer.from(WRITTEN);
  const letter = {
    ...{ stage: 'normalize', code: 'NORMALIZE_ITEM_INVALID', message: WRITTEN, note: WRITTEN },
    ...{ item: bytes, key: bytes, value: bytes, headers: { h: bytes }, origin_offset: 7 },
  };
  const { value } = await hide(topics.deadLetters, null, letter);
  expect(value).toEqual({
    ...{ stage: 'normalize', code: 'NORMALIZE_ITEM_INVALID', message: '', note: null },
    ...{ item: null, key: null, value: null, headers: {}, origin_offset: 7 },
  });
});

test('the user agent that stands for a kind is judged as that kind', () => {
  for (const [kind, agent] of Object.entries(AGENT_OF_KIND)) expect(agentKindOf(agent)).toBe(kind);
  expect(agentKept('Mozilla/5.0 (X11) Gecko')).toBe(AGENT_OF_KIND.client);
  expect(agentKept('Barracuda Sentinel')).toBe(AGENT_OF_KIND.scanner);
  expect([agentKept('?'), agentKept(null), agentKept('')]).toEqual([null, null, null]);
});

test('words of servers stay readable, and no text takes long', () => {
  const user = new PersonInTexts('user@example.com', 'user@example.com', null);
  expect(user.inProse('550 user unknown: user@example.com')).toBe('550 user unknown: <recipient>');
  const al = new PersonInTexts('al@example.com', 'al@example.com', null);
  expect(al.inProse('al final, al@example.com')).toBe('al final, <recipient>');
  expect(al.inProse('a'.repeat(200_000))).toHaveLength(200_000);
  // Every way in which the search for addresses could begin anew at each character.
  for (const part of ['a@', '@', 'a=', 'a%40', '%4', '%40@', 'a'.repeat(64)]) {
    const long = part.repeat(400_000 / part.length);
    expect(al.inProse(`${long} x@y.example`)).toMatch(/<address>$/);
  }
});

test('an address in prose is taken as a whole', () => {
  const quill = new PersonInTexts('quill@example.com', 'quill@example.com', null);
  const said =
    'to <ann.quill@example.com>, quill@example.com: QUILL%40Example.com, b+quill@else.example; quill@';
  expect(quill.inProse(said)).toBe('to <<address>>, <recipient>: <recipient>, <address>; <recipient>@');
});

test('a sender changes no word of ours by what it calls an address', async () => {
  for (const ip of ['main', 'x', '0', 'clicked'])
    expect(
      (await hide(topics.events('clicked'), KEY, { ...EVENT, ip, request_id: 'r-0x' })).value,
    ).toMatchObject({
      ...{ source: 'main', esp: 'x', request_id: 'r-0x', message_id: EVENT.message_id, ip: null },
    });
});

test.each([
  'email%3Dada%40example.com',
  '/u%2Fada%40example.com',
  'x%253Dada%2540example.com',
  '%20ada@example.com',
])('an address behind an escaped character is one: %s', (text) => {
  const person = new PersonInTexts('ada@example.com', 'ada@example.com', null);
  expect(person.inName(text)).toMatch(/<recipient>$/);
  expect(person.inName(text.replace('ada', 'lada'))).toBe(text.replace('ada', 'lada'));
});
