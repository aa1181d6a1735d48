import { expect, onTestFinished, test } from 'vitest';
import { connected, listedBy, stateOf } from '../testing/index.ts';
import { playSalesforce, type SalesforceWorld } from './salesforce.harness.ts';
import { salesforce } from './salesforce.ts';

// What is peculiar to this adapter; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';

async function open(world: SalesforceWorld = {}) {
  const played = playSalesforce(world);
  const crm = await connected(salesforce, played);
  onTestFinished(() => crm.close());
  return { played, ...crm };
}

test('every contact and lead with the address is opted out, in three calls and a login', async () => {
  const { adapter, played, server } = await open();
  const all = [played.add('Contact', ADA), played.add('Contact', 'Ada@Example.com'), played.add('Lead', ADA)];
  const others = [played.add('Lead', ADA, { converted: true }), played.add('Contact', 'bob@example.com')];
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(all.map(({ optedOut }) => optedOut)).toEqual([true, true, true]);
  expect(others.map(({ optedOut }) => optedOut)).toEqual([false, false]);
  expect(server.calls).toHaveLength(4);
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('an unknown address is done with: nothing is made for it', async () => {
  const { adapter, played } = await open();
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect(played.rows).toEqual([]);
});

test('a record that is given to another person between read and write is not opted out', async () => {
  const { adapter, played } = await open({
    between([row]) {
      if (row?.email !== ADA) return;
      row.email = 'bob@example.com';
      row.modifiedAt += 5_000;
    },
  });
  const row = played.add('Contact', ADA);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ code: 'SINK_CRM_UNVERIFIED' });
  expect(row.optedOut).toBe(false);
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
});

test('a record of which it cannot be told when it was changed is not changed', async () => {
  const { adapter, played, server } = await open();
  const row = played.add('Contact', ADA);
  const { answer } = played;
  played.answer = (call) => {
    const said = answer(call);
    return {
      ...said,
      ...(said.body && { body: said.body.replace(/("LastModifiedDate":")[^"]*/g, '$1soon') }),
    };
  };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unavailable' });
  expect(row.optedOut).toBe(false);
  expect(server.calls.some(({ body }) => body.includes('PATCH'))).toBe(false);
});

test('of several records inside one 200, those that can be are opted out, and the one that failed is told', async () => {
  const code = 'FIELD_CUSTOM_VALIDATION_EXCEPTION';
  const { adapter, played } = await open({ rowErrors: [code] });
  const rows = [played.add('Contact', ADA), played.add('Lead', ADA)];
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'rejected' });
  expect(rows.map(({ optedOut }) => optedOut)).toEqual([false, true]);
});

test('a row that is locked is tried again', async () => {
  const { adapter, played } = await open({ rowErrors: ['UNABLE_TO_LOCK_ROW'] });
  played.add('Contact', ADA);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unverified' });
  expect(await adapter.put(stateOf(), signal)).toBe('written');
});

test.each(['ENTITY_IS_DELETED', 'CANNOT_UPDATE_CONVERTED_LEAD'])(
  '%s: the record gets no mail, which is no failure',
  async (code) => {
    const { adapter, played } = await open({
      rowErrors: [code],
      between([row]) {
        if (row) row.email = '';
      },
    });
    played.add('Lead', ADA);
    expect(await adapter.put(stateOf(), signal)).toBe('written');
  },
);

test('however many records have the address, one attempt opts all of them out', async () => {
  const { adapter, played, server } = await open();
  for (let n = 0; n < 100; n++) played.add('Contact', ADA);
  for (let n = 0; n < 30; n++) played.add('Lead', ADA);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.held(ADA)).toEqual({ suppressed: true });
  // A login, nine rounds of two calls, and one to look whether it holds.
  expect(server.calls).toHaveLength(20);
});

test('one record that is refused keeps none of those behind it opted in', async () => {
  const code = 'FIELD_CUSTOM_VALIDATION_EXCEPTION';
  const { adapter, played } = await open({ rowErrors: [code] });
  for (let n = 0; n < 40; n++) played.add('Contact', ADA);
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'rejected' });
  expect(played.rows.filter(({ optedOut }) => !optedOut)).toHaveLength(1);
});

test('whom it would mail: not who is opted out, and not who is unknown, for whom nothing is made', async () => {
  const { adapter, played } = await open();
  played.add('Contact', 'Ada@Example.com');
  played.add('Lead', 'lead@example.com');
  played.add('Lead', 'converted@example.com', { converted: true });
  played.add('Contact', 'out@example.com', { optedOut: true });
  const asked = [ADA, 'lead@example.com', 'converted@example.com', 'out@example.com', "o'brien@example.com"];
  expect(await adapter.mailed?.(asked, signal)).toEqual([ADA, 'lead@example.com']);
});

test('a session that ends is renewed without a failure, once', async () => {
  const { adapter, played } = await open();
  played.add('Contact', ADA);
  await adapter.check(signal);
  played.expire();
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.logins()).toBe(2);
});

test('calls at the same time share one login', async () => {
  const { adapter, played } = await open({ knowsAll: true });
  await Promise.all(
    ['a', 'b', 'c'].map((name) => adapter.put(stateOf({ recipient: `${name}@example.com` }), signal)),
  );
  expect(played.logins()).toBe(1);
});

test('a caller that gives up a login takes it from no other', async () => {
  const { adapter, played, server } = await open();
  played.add('Contact', ADA);
  server.fault = 'silent';
  const giveUp = new AbortController();
  const first = adapter.put(stateOf(), giveUp.signal);
  const stopping = expect(first).rejects.toThrow('stopping');
  const second = adapter.put(stateOf(), signal);
  const outcome = expect(second).rejects.toMatchObject({ code: 'SINK_CRM_UNREACHABLE' });
  await expect.poll(() => server.calls.length).toBeGreaterThan(0);
  giveUp.abort(new Error('stopping'));
  await stopping;
  await server.close();
  await outcome;
});

test('an address cannot become another query', async () => {
  const { adapter, played } = await open({ knowsAll: true });
  const bob = played.add('Contact', 'bob@example.com');
  const recipient = `x\\' OR Email != 'y@example.com`;
  expect(await adapter.put(stateOf({ recipient }), signal)).toBe('written');
  expect(bob.optedOut).toBe(false);
});

test('used up calls are no lack of rights', async () => {
  const { adapter, played } = await open();
  played.exhaust();
  await expect(adapter.check(signal)).rejects.toMatchObject({ failure: 'throttled', afterMs: 10_000 });
});

test.each([
  ['check', { hidden: true }],
  ['put', { readOnly: true }],
] as const)('%s: a user without the right to the opt-out is told so', async (call, world) => {
  const { adapter, played } = await open(world);
  played.add('Contact', ADA);
  const made = call === 'check' ? adapter.check(signal) : adapter.put(stateOf(), signal);
  await expect(made).rejects.toMatchObject({ failure: 'misconfigured', message: /HasOptedOutOfEmail/ });
});

test('lists every contact and lead that is opted out, page by page', async () => {
  const { adapter, played, server } = await open();
  for (let n = 0; n < 2_500; n++) played.add('Contact', `${n}@example.com`, { optedOut: n !== 7 });
  played.add('Lead', ADA, { optedOut: true });
  const listed = await listedBy(adapter);
  expect(new Set(listed.map(({ recipient }) => recipient)).size).toBe(2_500);
  expect(listed.at(-1)).toEqual({ recipient: ADA });
  // A login, two pages of contacts and one of leads.
  expect(server.calls).toHaveLength(4);
});
