import { CrmError, type EraseResult, plannedErasure } from '@email-events/sink-crm';
import { type Call, type Fault, listedBy, type PlayedCrm } from '@email-events/sink-crm/testing';
import { describe, expect, test } from 'vitest';
import { openWorld, playableCrms, suppression, type World } from './crm-world.ts';

/** What `erase --crm` asks of an adapter, held against the CRM that its harness plays: who was erased is gone, and nobody else is. */
const { signal } = new AbortController();
const playable = await playableCrms();
const erasing = playable.filter(({ crm }) => crm.facts.capabilities?.eraseContacts);

const ADA = 'ada@example.com';
/** Whose addresses hers is a part of, or that look like it to a filter. */
const OTHERS = ['hada@example.com', 'ada@example.com.example', `o'ada+x@example.com`, 'adá@example.com'];

const knows = (played: PlayedCrm, recipient: string) =>
  played.isContact?.(recipient) ?? played.recipients().includes(recipient);

async function erase({ adapter }: World, recipient: string): Promise<EraseResult> {
  if (!adapter.erase) throw new Error('it erases nobody');
  return adapter.erase(recipient, signal);
}

test('what a CRM says of erasure belongs together', async () => {
  expect(erasing.length).toBeGreaterThan(0);
  for (const subject of playable) {
    const { erasing: facts, capabilities } = subject.crm.facts;
    const { adapter } = await openWorld(subject);
    const can = Boolean(capabilities?.eraseContacts);
    expect([subject.name, facts !== undefined, adapter.erase !== undefined]).toEqual([
      subject.name,
      can,
      can,
    ]);
    if (facts) expect(facts.how).not.toBe('');
  }
});

describe.each(erasing)('$name', (subject) => {
  const { crm } = subject;
  const blocks = crm.facts.erasing?.after === 'blocked';

  async function openContacts(): Promise<World> {
    const world = await openWorld(subject);
    for (const recipient of [ADA, ...OTHERS]) world.played.importContact?.(recipient);
    await world.adapter.put({ suppression: suppression(ADA, 'complaint:all'), recordedAt: 1 }, signal);
    return world;
  }

  test('erases the contact, nobody else, and says the second time that it was not there', async () => {
    const world = await openContacts();
    const { played } = world;
    const before = OTHERS.map((recipient) => [knows(played, recipient), played.held(recipient)]);
    expect(before.every(([known]) => known)).toBe(true);
    expect(await erase(world, ADA)).toBe('erased');
    expect(knows(played, ADA)).toBe(false);
    // Who blocks the address as such cannot tell whether there was anybody.
    expect(['absent', ...(blocks ? ['erased'] : [])]).toContain(await erase(world, ADA));
    expect(OTHERS.map((recipient) => [knows(played, recipient), played.held(recipient)])).toEqual(before);
  });

  test('is blocked from then on, if it says so', async () => {
    const world = await openContacts();
    await erase(world, ADA);
    world.played.importContact?.(ADA);
    expect(knows(world.played, ADA)).toBe(!blocks);
  });

  test('whatever is lost, cut off or refused for a time, the same order again ends it', async () => {
    const world = await openContacts();
    const faults: (Fault | undefined)[] = ['lost', 'cut', { status: 503 }, undefined, 'lost'];
    world.server.faultOfNext = () => faults.shift();
    let result: EraseResult | undefined;
    for (let attempt = 0; attempt < 10 && result === undefined; attempt++) {
      try {
        result = await erase(world, ADA);
      } catch (error) {
        expect(error).toBeInstanceOf(CrmError);
        expect((error as CrmError).disposition).toBe('retry');
      }
    }
    expect(result).toMatch(/^(erased|absent)$/);
    expect(knows(world.played, ADA)).toBe(false);
    for (const recipient of OTHERS) expect(knows(world.played, recipient), recipient).toBe(true);
  });

  test('credentials that may not erase are an error, and not an address that was not there', async () => {
    const world = await openContacts();
    const isRead = (call: Call) =>
      ['GET', 'HEAD'].includes(call.method) || world.played.reads?.(call) === true;
    const answer = world.played.answer.bind(world.played);
    world.played.answer = (call) =>
      isRead(call)
        ? answer(call)
        : { status: 403, body: JSON.stringify({ title: 'Forbidden', status: 403 }) };
    await expect(erase(world, ADA)).rejects.toMatchObject({ code: 'SINK_CRM_UNAUTHORIZED' });
    expect(knows(world.played, ADA)).toBe(true);
  });

  test('can be planned: nothing is erased, and the calls are those that are made then', async () => {
    const { server, settings, played, adapter } = await openContacts();
    const planned = await plannedErasure(crm, settings, ADA, { pace: undefined, signal });
    expect(planned).not.toEqual([]);
    expect(knows(played, ADA)).toBe(true);
    for (const secret of settings.secrets) expect(JSON.stringify(planned)).not.toContain(secret.reveal());
    const { length } = server.calls;
    await adapter.erase?.(ADA, signal);
    const made = server.calls.slice(length).map(({ method, url, body }) => ({ method, url: url.href, body }));
    for (const { method, url, body = '' } of planned) expect(made).toContainEqual({ method, url, body });
  });

  test('somebody else whom a look-up finds by mistake is not erased', async () => {
    const world = await openContacts();
    const { played } = world;
    const [other = ''] = OTHERS;
    const hex = (text: string) => Buffer.from(text).toString('hex');
    const swapped = (text: string) =>
      [encodeURIComponent, hex, String].reduce((all, form) => all.replaceAll(form(ADA), form(other)), text);
    const answer = played.answer.bind(played);
    played.answer = (call) => {
      const isRead = call.method === 'GET' || played.reads?.(call) === true;
      return answer(
        isRead ? { ...call, url: new URL(swapped(call.url.href)), body: swapped(call.body) } : call,
      );
    };
    await erase(world, ADA);
    for (const recipient of OTHERS) expect(knows(played, recipient), recipient).toBe(true);
  });

  test('who is gone is not listed any more', async () => {
    const world = await openContacts();
    await erase(world, ADA);
    expect((await listedBy(world.adapter)).map(({ recipient }) => recipient)).not.toContain(ADA);
  });
});
