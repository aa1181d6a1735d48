import { encodeRawHeaders, type InputRecord, Registry, silentLog } from '@email-events/core';
import { DEFAULT_BUDGET, FREE_OUTPUT_BYTES } from '@email-events/esps';
import { normalizeRecord } from '@email-events/processors';
import { deadLetterReport, encoderOf, NormalizeStage, tokenSettings } from '@email-events/processors/testing';
import { describe, expect, it } from 'vitest';
import { fixtureFolders, type LoadedFixture, loadFixtures } from './esp-fixtures.ts';
import { type Inflation, inflated } from './esp-inflated.ts';

const RECEIVED_LIMIT = 200_000;
const INFLATIONS: readonly Inflation[] = [
  { copies: 1, padding: 60_000 },
  { copies: 40, padding: 3_000 },
  { copies: 300, padding: 0 },
  { copies: 2_500, padding: 0 },
];

const metrics = new Registry();
const stage = new NormalizeStage({
  partitions: 6,
  deadLetterPartitions: 1,
  encoder: encoderOf('normalized'),
  deadLetterEncoder: encoderOf('deadLetter'),
  openStages: new Set(),
  deadLetters: deadLetterReport(metrics, silentLog),
  clock: Date.now,
  tokens: tokenSettings(),
});

function recordOf({ esp, fixture }: LoadedFixture, body: Buffer): InputRecord {
  const { method, url, headers, receivedAt } = fixture.request;
  const { 'content-type': contentType = null, ...others } = headers;
  return {
    ...{ topic: 'email.raw', partition: 0, offset: 0, key: null, value: body, timestamp: 0 },
    headers: encodeRawHeaders({
      ...{ requestId: '0199b7a0-1111-7222-8333-444455556666', source: 'main', esp, method, url, contentType },
      ...{ receivedAt: Date.parse(receivedAt), remoteAddress: null, headers: others },
    }),
  };
}

/** Bytes of everything that a request comes to. */
async function comesTo(record: InputRecord): Promise<number> {
  const { outputs } = await stage.process([record]);
  return outputs.reduce((sum, { value, key }) => sum + (value?.length ?? 0) + (key?.length ?? 0), 0);
}

describe.each(fixtureFolders())('the budgets of %s', (esp) => {
  const fixtures = loadFixtures(esp);

  it('hold what the ESP really sends, and count no less than it comes to', async () => {
    for (const loaded of fixtures) {
      const body = Buffer.from(loaded.fixture.request.body, loaded.fixture.request.bodyEncoding ?? 'utf8');
      const record = recordOf(loaded, body);
      const { bytes, failures, events } = await normalizeRecord(record);
      for (const { code } of failures)
        expect(code, loaded.name).not.toMatch(/^NORMALIZE_(?:TOO_MANY|OUTPUT)/);
      if (events.length === 0 || failures.length > 0) continue;
      // One record a partition, of some bytes.
      expect(await comesTo(record), loaded.name).toBeLessThanOrEqual(bytes);
    }
  });

  it(`keep what comes out below ${DEFAULT_BUDGET.maxOutputRatio} bytes for one that came in, or next to nothing`, async () => {
    for (const loaded of fixtures) {
      for (const inflation of INFLATIONS) {
        const body = inflated(loaded, inflation, RECEIVED_LIMIT);
        if (!body) continue;
        const out = await comesTo(recordOf(loaded, body));
        const most = Math.max(FREE_OUTPUT_BYTES, DEFAULT_BUDGET.maxOutputRatio * body.length);
        expect(out, `${loaded.name} ${JSON.stringify(inflation)}`).toBeLessThanOrEqual(most);
      }
    }
  }, 120_000);
});
