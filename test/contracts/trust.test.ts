import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapters, normalizeRequest, toEmailEvent } from '@email-events/esps';
import { accountOf, createSigner } from '@email-events/esps/accounts';
import { expect, it } from 'vitest';
import { trustTable } from '../../ingress/esps/scripts/esp-table.ts';
import { adapterOf } from './esp-fixtures.ts';

const AT = Date.parse('2026-11-02T09:15:30.500Z');
const DAY = 86_400_000;
const ESPS = adapters.map(({ name }) => name);

it('the table of TRUST.md is what adapters and accounts say', () => {
  const page = readFileSync(fileURLToPath(new URL('../../deploy/TRUST.md', import.meta.url)), 'utf8');
  expect(page).toContain(trustTable());
});

it.each(ESPS)('a request of %s that comes again, days later, gives the same events', async (esp) => {
  const signer = await createSigner(esp);
  const request = signer.sign({ body: accountOf(esp).contract.body, at: AT, id: 'msg_1' });
  const idsAt = (receivedAt: number) =>
    normalizeRequest(adapterOf(esp), { ...request, receivedAt }).results.flatMap((result) => {
      const origin = { esp, source: 's', request_id: String(receivedAt), received_at: receivedAt };
      const place = { raw_partition: 0, raw_offset: receivedAt, item_index: result.index };
      return 'events' in result
        ? result.events.map((event) => toEmailEvent(event, { ...origin, ...place }).event_id)
        : [result.code];
    });
  const ids = idsAt(AT);
  expect(ids).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  for (const later of [1, 3, 6]) expect(idsAt(AT + later * DAY)).toEqual(ids);
});

it.each(ESPS)('a copy of a request of %s is believed just as long as the table says', async (esp) => {
  const signer = await createSigner(esp);
  const { window, tampered } = accountOf(esp).contract;
  const request = signer.sign({ body: accountOf(esp).contract.body, at: AT, id: 'msg_1' });
  const outcome = (receivedAt: number, body = request.body) =>
    adapterOf(esp)
      .verifier(signer.settings)
      .verify({ ...request, body, receivedAt }, signer.resources).outcome;
  expect(outcome(AT)).toBe('verified');
  if (window) {
    expect(outcome(AT + window.past - 1_000)).toBe('verified');
    expect(outcome(AT + window.past + 1_000)).toBe('refused');
  } else expect(outcome(AT + 400 * DAY)).toBe('verified');
  expect(['SIGNATURE_WRONG', 'unnoticed']).toContain(tampered);
});
