import { encodeRawHeaders, type InputRecord, PipelineError } from '@email-events/core';
import { normalizeRecord } from './normalize-record.ts';
import { Transaction, type Writing } from './transaction.ts';

const AT = Date.UTC(2026, 0, 1);
const TYPES = ['delivered', 'opened', 'bounced', 'unsubscribed', 'other'];

/** A request that nothing is wrong with, whatever else comes. It is never written. */
const CANARY: InputRecord = {
  topic: 'email.raw',
  partition: 0,
  offset: 0,
  key: null,
  value: Buffer.from(
    JSON.stringify(
      TYPES.map((type, i) => ({
        ...{ id: `canary-${i}`, type, occurred_at: AT, recipient: `canary${i}@example.com` },
        ...{ subject: 'Ünïcode', tags: ['canary'], metadata: { of: 'the service itself' } },
      })),
    ),
  ),
  headers: encodeRawHeaders({
    ...{ requestId: 'canary', source: 'canary', esp: 'standard-webhooks', receivedAt: AT, method: 'POST' },
    ...{ url: '/', contentType: 'application/json', remoteAddress: null, headers: {} },
  }),
  timestamp: AT,
};

/** The same work on a good request. Throws if it does not come to the events that it always comes to. */
export async function checkNormalize(writing: Writing): Promise<void> {
  const transaction = new Transaction(writing, AT);
  transaction.add(CANARY, await normalizeRecord(CANARY));
  const outputs = transaction.outputs();
  if (outputs.length === 0 || transaction.letters.length > 0 || transaction.items !== TYPES.length)
    throw new PipelineError('NORMALIZE_RECORD_FAILED', 'deadletter', 'a good request does not come out');
}
