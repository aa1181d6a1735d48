import { type Logger, Registry } from '@email-events/core';
import { expect, test } from 'vitest';
import { errorOfStatus } from './errors.ts';
import { createCrmSink } from './sink.ts';
import { batchOf, suppressionOf } from './testing/values.ts';

const { signal } = new AbortController();

/** A sink whose CRM takes every write, and answers each check with a status. */
function setUp(status: number) {
  const crm = { status, writes: 0, now: 0 };
  const errors: string[] = [];
  const error = (_: unknown, message: string) => errors.push(message);
  const sink = createCrmSink({
    adapter: {
      name: 'fake',
      async check() {
        const refusal = errorOfStatus(crm.status, undefined);
        if (refusal) throw refusal;
      },
      async put() {
        crm.writes += 1;
        return 'written';
      },
      async close() {},
    },
    ...{ concurrency: 1, dryRun: false, metrics: new Registry(), now: () => crm.now },
    log: { info() {}, warn() {}, error } as unknown as Logger,
  });
  const records = Array.from({ length: 20 }, (_, n) => suppressionOf({ recipient: `p${n}@example.com` }));
  const outcomes = async () => {
    crm.now += 120_000;
    return new Set((await sink.write(batchOf(...records), signal)).map(({ outcome }) => outcome));
  };
  return { crm, sink, errors, outcomes };
}

test.each([400, 404, 410, 422])('a check that is answered %d sets no record aside', async (status) => {
  const { crm, sink, errors, outcomes } = setUp(status);
  for (let n = 0; n < 3; n++) expect(await outcomes()).toEqual(new Set(['retry']));
  expect(crm.writes).toBe(0);
  expect(sink.problem()).toBe('SINK_CRM_REJECTED');
  expect(errors).toEqual([`the CRM answered ${status}: nothing is sent until this is put right`]);
  crm.status = 200;
  await expect.poll(outcomes).toEqual(new Set(['delivered']));
  expect(crm.writes).toBe(20);
  expect(sink.problem()).toBeUndefined();
});

test.each([400, 404])('nor one that is answered %d after others passed', async (status) => {
  const { crm, sink, outcomes } = setUp(200);
  expect(await outcomes()).toEqual(new Set(['delivered']));
  crm.now += 120_000;
  crm.status = status;
  await expect(sink.check(signal)).rejects.toMatchObject({ failure: 'misconfigured' });
  expect(await outcomes()).toEqual(new Set(['retry']));
  expect(crm.writes).toBe(20);
});
