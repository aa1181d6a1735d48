import { expect, it } from 'vitest';
import type { EspAdapter, EspEvent, EspRequest } from './adapter.ts';
import { sendgrid } from './esps/sendgrid.ts';
import { MAX_FIELD_LENGTH } from './field-mapping.ts';
import { type FieldSettings, fieldMapping } from './field-paths.ts';
import { normalizeRequest } from './normalize.ts';
import { adapters } from './registry.ts';

const request: EspRequest = { method: 'POST', url: '/', headers: {}, body: Buffer.from('{}'), receivedAt: 1 };
const RECIPIENTS = 1_000;

/** One item about many recipients, and how often its headers were read. */
function crowded(event: Partial<EspEvent>, headers: readonly [string, string][] = []) {
  const reads = { count: 0 };
  const adapter: EspAdapter = {
    ...sendgrid,
    split: () => [{ index: 0, value: {}, text: '{}' }],
    *normalize() {
      for (let n = 0; n < RECIPIENTS; n++)
        yield {
          ...{ type: 'opened', esp_event_type: 'open', occurred_at: 1, ...event },
          ...{ recipient: `r${n}@example.com`, identity: ['n', n] },
        };
    },
    headers: () => {
      reads.count++;
      return headers;
    },
  };
  const read = (fields?: FieldSettings) =>
    normalizeRequest(adapter, request, { fields: fields && fieldMapping(fields) }).results.flatMap(
      (result) => ('events' in result ? result.events : []),
    );
  return { read, reads };
}

it('reads the headers once for all recipients of an item, and only for a source that names one', () => {
  const { read, reads } = crowded({}, [['X-Campaign', 'spring']]);
  expect(read().length).toBe(RECIPIENTS);
  expect(reads.count).toBe(0);
  const events = read({ campaign: 'headers.x-campaign' });
  expect(new Set(events.map(({ campaign }) => campaign))).toEqual(new Set(['spring']));
  expect(reads.count).toBe(1);
});

it('counts what it adds towards the budget of the request', () => {
  const long = 'x'.repeat(100_000);
  const { read } = crowded({}, [['X-Campaign', long]]);
  const fields = {
    campaign: 'headers.x-campaign',
    variant: 'headers.x-campaign',
    stream: 'headers.x-campaign',
  };
  // A thousand events of some 360 bytes are within the half megabyte that any request may come to, three times 256 bytes more each are not.
  expect(MAX_FIELD_LENGTH).toBe(256);
  expect(read({ campaign: 'esp' })).toHaveLength(RECIPIENTS);
  expect(() => read(fields)).toThrow('the events come to more than');
});

it('no item is so odd that reading its headers fails', () => {
  const odd = [
    undefined,
    null,
    7,
    'x',
    [],
    {},
    { headers: 'x' },
    { data: { headers: [null, { name: {} }] } },
  ];
  const more = [{ Message: null }, { Message: { mail: { headers: 7 } } }, { 'event-data': { message: [] } }];
  for (const { headers } of adapters as readonly EspAdapter[])
    for (const value of [...odd, ...more])
      expect([...(headers?.({ index: 0, value, text: '' }) ?? [])].every((pair) => pair.length === 2)).toBe(
        true,
      );
});
