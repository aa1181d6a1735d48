import { findAdapter } from '@email-events/esps';
import { expect, test } from 'vitest';
import type { Source } from './sources.ts';
import { RECENT_SECONDS, SourceActivity } from './status.ts';

const START = Date.UTC(2026, 0, 2, 3, 4, 5);
const source = (name: string) => ({ name, adapter: findAdapter('postmark') }) as Source;

function activity() {
  let now = START;
  const of = new SourceActivity(() => now);
  const pass = (seconds: number) => {
    now += seconds * 1_000;
  };
  return { of, pass };
}

test('a source that nothing came from is told all the same', () => {
  expect(activity().of.report([source('shop')])).toEqual([
    {
      ...{ name: 'shop', esp: 'postmark', lastAcceptedAt: null },
      ...{ sinceStart: { accepted: 0, refused: {} }, recent: { accepted: 0, refused: {} } },
    },
  ]);
});

test('what is old counts since the start, and not as recent', () => {
  const { of, pass } = activity();
  of.answered('shop', 'OK');
  of.answered('shop', 'SIGNATURE_WRONG');
  pass(RECENT_SECONDS - 30);
  of.answered('shop', 'SIGNATURE_WRONG');
  of.answered('shop', 'INGRESS_BODY_TOO_LARGE');
  expect(of.report([source('shop')])).toMatchObject([
    {
      lastAcceptedAt: '2026-01-02T03:04:05.000Z',
      sinceStart: { accepted: 1, refused: { SIGNATURE_WRONG: 2, INGRESS_BODY_TOO_LARGE: 1 } },
      recent: { accepted: 1, refused: { SIGNATURE_WRONG: 2, INGRESS_BODY_TOO_LARGE: 1 } },
    },
  ]);
  pass(31);
  expect(of.report([source('shop')])).toMatchObject([
    {
      sinceStart: { accepted: 1 },
      recent: { accepted: 0, refused: { SIGNATURE_WRONG: 1, INGRESS_BODY_TOO_LARGE: 1 } },
    },
  ]);
  pass(10 * RECENT_SECONDS);
  expect(of.report([source('shop')])).toMatchObject([
    { lastAcceptedAt: '2026-01-02T03:04:05.000Z', recent: { accepted: 0, refused: {} } },
  ]);
});

test('a slice of an earlier round is not added to', () => {
  const { of, pass } = activity();
  for (let round = 0; round < 3; round++) {
    of.answered('shop', 'OK');
    pass(RECENT_SECONDS);
  }
  of.answered('shop', 'OK');
  expect(of.report([source('shop')])).toMatchObject([
    { sinceStart: { accepted: 4 }, recent: { accepted: 1 } },
  ]);
});

test('a handshake and a probe are neither accepted nor refused', () => {
  const { of } = activity();
  of.answered('shop', 'HANDSHAKE');
  of.answered('shop', 'PROBE');
  expect(of.report([source('shop')])).toMatchObject([
    { lastAcceptedAt: null, sinceStart: { accepted: 0, refused: {} } },
  ]);
});

test('a source that is not configured any more is not told, and forgotten', () => {
  const { of } = activity();
  of.answered('shop', 'OK');
  of.answered('blog', 'OK');
  expect(of.report([source('blog')]).map(({ name }) => name)).toEqual(['blog']);
  expect(of.report([source('shop')])).toMatchObject([{ sinceStart: { accepted: 0 } }]);
});
