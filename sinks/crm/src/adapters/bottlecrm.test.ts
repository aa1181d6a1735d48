import type { SuppressionReason } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { connected } from '../testing/connected.ts';
import { listedBy, stateOf } from '../testing/values.ts';
import { DEFINITIONS, play } from './bottlecrm.harness.ts';
import { bottlecrm } from './bottlecrm.ts';

// Behaviour of this adapter only; test/contracts/crm proves what all adapters have in common.
const { signal } = new AbortController();
const ADA = 'ada@example.com';

async function open(options: object = {}, definitions = DEFINITIONS) {
  const played = play(definitions);
  const world = await connected(bottlecrm, played, { options });
  onTestFinished(() => world.close());
  return { played, ...world };
}

const bounced = {
  ...{ reason: 'hard_bounce', scope: 'all', since: 1_767_225_600_000 },
  detail: '550 5.1.1\r\nno such user',
} as SuppressionReason;

test('a state is three custom fields; the others stay', async () => {
  const { played, adapter } = await open();
  played.add('Ada@Example.com', { no_mail: false });
  const state = stateOf({ reasons: [bounced], revision: 7 });
  expect(await adapter.put(state, signal)).toBe('written');
  expect(played.contact(ADA)?.custom_fields).toEqual({
    no_mail: false,
    email_suppression: 'suppressed',
    email_suppression_reasons: 'hard_bounce | all | 2026-01-01T00:00:00.000Z | 550 5.1.1 no such user',
    email_suppression_version: 7,
  });
  expect(await adapter.put(state, signal)).toBe('unchanged');
});

test('a CRM that leaves the filter aside is not read as a whole for each recipient', async () => {
  const { played, server, adapter } = await open();
  const { answer } = played;
  let page = 0;
  played.answer = (call) => {
    if (call.method !== 'GET') return answer(call);
    const results = Array.from({ length: 50 }, () => ({ id: 'x', email: `${page++}@example.org` }));
    return { status: 200, body: JSON.stringify({ results }) };
  };
  await expect(adapter.put(stateOf(), signal)).rejects.toMatchObject({ failure: 'unverified' });
  expect(server.calls).toHaveLength(100);
});

test('only what differs is written', async () => {
  const { played, server, adapter } = await open();
  played.add(ADA);
  await adapter.put(stateOf({ reasons: [bounced], revision: 7 }), signal);
  await adapter.put(stateOf({ suppressed: false, reasons: [], revision: 8 }), signal);
  const writes = server.calls.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body));
  expect(writes.at(-1)).toEqual({
    custom_fields: {
      email_suppression: 'none',
      email_suppression_reasons: null,
      email_suppression_version: 8,
    },
  });
  expect(played.contact(ADA)?.custom_fields).toEqual({
    email_suppression: 'none',
    email_suppression_version: 8,
  });
});

test('a lower revision changes nothing, and one without a revision is compared by when it was recorded', async () => {
  const { played, adapter } = await open();
  await adapter.put(stateOf({ revision: 7 }), signal);
  expect(await adapter.put(stateOf({ suppressed: false, revision: 6 }), signal)).toBe('unchanged');
  expect(await adapter.put(stateOf({ suppressed: false, revision: 0 }, 5), signal)).toBe('unchanged');
  expect(played.held(ADA)?.suppressed).toBe(true);
  expect(await adapter.put(stateOf({ suppressed: false, revision: 0 }, 8), signal)).toBe('written');
  expect(played.held(ADA)?.suppressed).toBe(false);
});

test('among contacts whose addresses hold this one, on several pages, the contact itself is found', async () => {
  const { played, adapter } = await open();
  played.add(ADA);
  for (let i = 0; i < 120; i++) played.add(`more${i}.${ADA}`);
  expect(await adapter.put(stateOf(), signal)).toBe('written');
  expect(played.held(ADA)?.suppressed).toBe(true);
  expect(played.recipients().filter((who) => played.held(who)?.suppressed)).toEqual([ADA]);
});

test('an address that is no contact is left alone if so configured', async () => {
  const { played, adapter } = await open({ unknown: 'leave' });
  expect(await adapter.put(stateOf(), signal)).toBe('unchanged');
  expect(played.recipients()).toEqual([]);
});

test('whom it would mail, where unknown addresses are left', async () => {
  const { played, adapter } = await open({ unknown: 'leave' });
  played.add('Bob@example.com');
  played.add('out@example.com', { email_suppression: 'suppressed' });
  expect(await adapter.mailed?.([ADA, 'bob@example.com', 'out@example.com'], signal)).toEqual([
    'bob@example.com',
  ]);
  expect((await open()).adapter.mailed).toBeUndefined();
});

test('everybody who is suppressed is listed, over pages', async () => {
  const { played, adapter } = await open();
  const all = Array.from({ length: 130 }, (_, i) => `person${i}@example.com`);
  for (const who of all) played.add(who, { email_suppression: 'suppressed' });
  played.add('lifted@example.com', { email_suppression: 'none' });
  const listed = (await listedBy(adapter)).map(({ recipient }) => recipient);
  expect(listed.sort()).toEqual(all.sort());
});

test.each([
  ['email_suppression', 'checkbox', undefined],
  ['email_suppression', 'dropdown', [{ value: 'suppressed', label: 'Suppressed' }]],
  ['email_suppression_reasons', 'number', undefined],
  ['email_suppression_version', 'text', undefined],
])(
  'a custom field %s that is no %s of ours, or lacks, is found by the check',
  async (key, field_type, options) => {
    const others = DEFINITIONS.filter((each) => each.key !== key);
    const wrong = { key, field_type, ...(options && { options }) };
    for (const definitions of [others, [...others, wrong]]) {
      const { adapter } = await open({}, definitions);
      await expect(adapter.check(signal)).rejects.toMatchObject({
        code: 'SINK_CRM_MISCONFIGURED',
        message: expect.stringContaining(`custom field ${key}:`),
      });
    }
  },
);

test('a dropdown with both values will do', async () => {
  const options = ['suppressed', 'none'].map((value) => ({ value, label: value }));
  const definitions = DEFINITIONS.map((each) =>
    each.key === 'email_suppression' ? { ...each, field_type: 'dropdown', options } : each,
  );
  const { adapter } = await open({}, definitions);
  await adapter.check(signal);
});
