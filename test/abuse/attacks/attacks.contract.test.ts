import { encodeRawHeaders, type InputRecord } from '@email-events/core';
import { createRandom, type WireRequest } from '@email-events/dev/simulate';
import { DEFAULT_BUDGET, findAdapter, type VerifierSettings } from '@email-events/esps';
import { normalizeRecord } from '@email-events/processors';
import { beforeAll, describe, expect, test } from 'vitest';
import { Account } from '../account.ts';
import { ALL_ESPS } from '../story.ts';
import { ATTACKS, type AttackContext } from './index.ts';

// A library of harmless attacks proves nothing: those that must get in are genuine, and do harm where the pipeline does not count.

/** The ingress's own, for a body. */
const MAX_BODY_BYTES = 1_048_576;

let hostile: Account;
let leaked: Account;
let context: AttackContext;

beforeAll(async () => {
  hostile = await Account.create('hostile', { suppresses: 'own-streams' });
  leaked = await Account.create('leaked', { suppresses: 'all' });
  sources = { ...hostile.sourcesOf(ALL_ESPS), ...leaked.sourcesOf(ALL_ESPS) };
  let number = 0;
  context = {
    ...{ hostile, leaked, random: createRandom(1), run: 'unit' },
    next: () => number++,
    victim: () => 'victim@example.com',
    ahead: () => undefined,
    overheard: () => undefined,
  };
});

type Source = VerifierSettings & { readonly esp: string };
let sources: { readonly [name: string]: object };
const sourceOf = ({ path }: WireRequest) => {
  const name = /email-events\/([^?]+)/.exec(path)?.[1] ?? '';
  return sources[name] as Source | undefined;
};

function requestOf({ method, path: url, headers, body }: WireRequest) {
  return { method, url, headers, body, receivedAt: Date.now() };
}

const CASES = ATTACKS.flatMap((attack) => attack.esps.map((esp) => ({ name: attack.name, attack, esp })));

const POSSIBLE = CASES.filter(({ attack }) => attack.answer !== 'refused');

describe('what must get in is genuine, and what comes of it is bounded', () => {
  test.each(POSSIBLE)('$name, $esp', async ({ attack, esp }) => {
    const requests = attack.blow(esp, context);
    if (attack.answer === 'taken') expect(requests.length).toBeGreaterThan(0);
    for (const request of requests) {
      if (attack.answer === 'taken') {
        expect(request.body.length).toBeLessThanOrEqual(MAX_BODY_BYTES);
        expect(verdictOn(request, esp).outcome).toBe('verified');
      }
      if (request.body.length > MAX_BODY_BYTES) continue;
      const { events, failures, bytes, unforeseen } = await normalizeRecord(recordOf(request, esp));
      expect(unforeseen).toBe(false);
      expect(events.length).toBeLessThanOrEqual(DEFAULT_BUDGET.maxEvents);
      expect(failures.length).toBeLessThanOrEqual(DEFAULT_BUDGET.maxDeadLetters + 1);
      expect(bytes).toBeLessThanOrEqual(DEFAULT_BUDGET.maxOutputBytes);
    }
  });
});

function verdictOn(request: WireRequest, esp: string) {
  const source = sourceOf(request);
  const adapter = findAdapter(esp);
  if (!source || !adapter) throw new Error(`${request.path} is no source`);
  const { certificates = {} } = source.options as { certificates?: { [url: string]: string } };
  return adapter.verifier(source).verify(requestOf(request), new Map(Object.entries(certificates)));
}

test('every adapter is attacked in most ways', () => {
  for (const esp of ALL_ESPS)
    expect(ATTACKS.filter(({ esps }) => esps.includes(esp)).length, esp).toBeGreaterThanOrEqual(9);
});

function recordOf({ method, path: url, headers, body }: WireRequest, esp: string): InputRecord {
  const { 'content-type': contentType = null, ...others } = headers;
  return {
    ...{ topic: 'email.raw', partition: 0, offset: 0, key: null, value: body, timestamp: 0 },
    headers: encodeRawHeaders({
      ...{ requestId: '0199b7a0-1111-7222-8333-444455556666', source: `hostile-${esp}`, esp, method, url },
      ...{ contentType, receivedAt: Date.now(), remoteAddress: null, headers: others },
    }),
  };
}
