import { expect, test } from 'vitest';
import type { EspEvent } from './adapter.ts';
import { DEFAULT_BUDGET, Spending } from './budget.ts';

const FORM = 'application/x-www-form-urlencoded';
const REQUEST = { body: Buffer.from('{"a":"b"}'), url: '/', headers: {} };
const event = (subject: string): EspEvent => ({
  type: 'opened',
  esp_event_type: 'open',
  occurred_at: 1,
  recipient: 'a@example.com',
  identity: ['id', subject],
  subject,
  metadata: { name: subject },
  tags: [subject],
});
function spent(subject: string, request: Partial<typeof REQUEST & { headers: object }>): number {
  const spending = new Spending(DEFAULT_BUDGET, { ...REQUEST, ...request });
  spending.event(event(subject));
  return spending.bytes;
}

const ASCII = spent('xxxxxxxxxx', {});
const EACH_TWICE = ASCII + 3 * 10;
const EURO = spent('€€€€€€€€€€', { body: Buffer.from('{"a":"€"}') });

test('texts count as bytes where a request can have other letters than ASCII’s', () => {
  expect(EURO).toBe(ASCII + 3 * 20);
  const ways: Partial<typeof REQUEST & { headers: object }>[] = [
    { body: Buffer.from('{"a":"é"}') },
    { body: Buffer.from('{"a":"\\u00e9"}') },
    { body: Buffer.from('{"a":"{\\"b\\":\\"\\\\u00e9\\"}"}') },
    { body: Buffer.from([0x22, 0xe9, 0x22]) },
    { body: Buffer.from('a=%C3%A9'), headers: { 'content-type': FORM } },
    { headers: { 'content-type': 'multipart/form-data; boundary=b' } },
    { url: '/x?a=%C3%A9' },
    { headers: { 'x-a': 'é' } },
  ];
  for (const way of ways) expect(spent('éééééééééé', way)).toBe(EACH_TWICE);
});

test('and are the same where it cannot', () => {
  for (const way of [{ body: Buffer.from('{"a":"é"}') }, { url: '/?x=%20' }, { headers: { 'x-a': 'é' } }])
    expect(spent('xxxxxxxxxx', way)).toBe(ASCII);
});
