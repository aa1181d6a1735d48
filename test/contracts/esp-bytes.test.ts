import { adapters, type EspRequest, normalizeRequest } from '@email-events/esps';
import { accountOf, accounts, createSigner, type Signer } from '@email-events/esps/accounts';
import { beforeAll, describe, expect, it } from 'vitest';
import { adapterOf } from './esp-fixtures.ts';

const AT = Date.parse('2026-11-02T09:15:30.500Z');
const BAD = 0xe9;

/** ESPs that sign in a header, with the last of them that has a signature: it may come twice. */
const SIGNED_HEADERS: (readonly [esp: string, header: string])[] = [];
for (const { esp, contract } of accounts) {
  const { headers } = (await createSigner(esp)).sign({ body: contract.body, at: AT });
  const header = Object.keys(headers).findLast((name) => /signature/.test(name) && contract.proof.test(name));
  if (header !== undefined) SIGNED_HEADERS.push([esp, header]);
}

it('knows of signatures in headers', () => {
  expect(SIGNED_HEADERS).toContainEqual(['postal', 'x-postal-signature-256']);
  expect(SIGNED_HEADERS.length).toBeGreaterThanOrEqual(9);
});

describe.each(SIGNED_HEADERS)('a signature of %s that came twice', (esp, header) => {
  let ours: Signer;
  let theirs: Signer;
  beforeAll(async () => {
    ours = await createSigner(esp);
    theirs = await createSigner(esp);
  });
  const signed = (by: Signer) => by.sign({ body: accountOf(esp).contract.body, at: AT, id: 'msg_1' });
  const outcome = (signatures: readonly (string | undefined)[], separator = ', ') => {
    const request = signed(ours);
    const headers = { ...request.headers, [header]: signatures.join(separator) };
    return adapterOf(esp)
      .verifier(ours.settings)
      .verify({ ...request, headers }).outcome;
  };

  it('is enough if any of them is good, in any order', () => {
    const [good, bad] = [signed(ours).headers[header], signed(theirs).headers[header]];
    expect(outcome([good, good])).toBe('verified');
    expect(outcome([good, bad])).toBe('verified');
    expect(outcome([bad, good])).toBe('verified');
    expect(outcome([good, bad], ',')).toBe('verified');
    expect(outcome([good, '!'])).toBe('verified');
    expect(outcome([bad, bad])).toBe('refused');
    expect(outcome(['', ''])).toBe('refused');
  });
});

const BATCHING = accounts.flatMap(({ esp, contract: { batch, body } }) =>
  batch === undefined ? [] : [[esp, batch(body)] as const],
);

describe.each(BATCHING)('a batch of %s with a byte that is no UTF-8', (esp, two) => {
  it('is genuine, and costs the item that has the byte', async () => {
    const signer = await createSigner(esp);
    const request = signer.sign({ body: withBadByte(two), at: AT });
    expect(adapterOf(esp).verifier(signer.settings).verify(request).outcome).toBe('verified');
    const { results } = normalizeRequest(adapterOf(esp), request);
    expect(results).toMatchObject([
      { index: 0, events: [{ recipient: 'a@example.com' }] },
      { index: 1, code: 'NORMALIZE_ITEM_INVALID' },
    ]);
  });
});

// A query has no such bytes.
const WITH_BODY = adapters.filter(({ http }) => http.methods.includes('POST')).map(({ name }) => name);

describe.each(WITH_BODY)('%s', (esp) => {
  it('verifies a request with a byte that is no UTF-8, and loses nothing but its item', async () => {
    const signer = await createSigner(esp);
    const request: EspRequest = signer.sign({ body: withBadByte(accountOf(esp).contract.body), at: AT });
    expect(adapterOf(esp).verifier(signer.settings).verify(request, signer.resources).outcome).toBe(
      'verified',
    );
    expect(normalizeRequest(adapterOf(esp), request).results).toMatchObject([
      { index: 0, code: 'NORMALIZE_ITEM_INVALID' },
    ]);
  });
});

/** In the local part of the last address. */
function withBadByte(body: string): Buffer {
  const at = body.lastIndexOf('@example.com');
  return Buffer.concat([Buffer.from(body.slice(0, at)), Buffer.of(BAD), Buffer.from(body.slice(at))]);
}
