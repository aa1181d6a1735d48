import { ConfigError } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { fieldPath } from '@email-events/esps';
import { expect, test } from 'vitest';
import { rawRecord } from '../testing/records.ts';
import { normalizeService } from './descriptor.ts';
import { normalizeRecord } from './normalize-record.ts';
import { checkSourceFields, normalizeSettings } from './settings.ts';

const { parse: parseConfig } = composeConfig([normalizeService]);

const parsed = (sources: object) => parseConfig({ sources });

const ITEM = {
  ...{ RecordType: 'Delivery', MessageID: 'm', Recipient: 'ann@example.com' },
  ...{ DeliveredAt: '2026-11-02T09:15:29Z', MessageStream: 'outbound', Tag: 'campaign:tagged' },
  Metadata: { campaign: 'told', mailing: 'm-7', customer: 'c-1' },
};

async function read(sources: object) {
  const record = rawRecord(ITEM, {}, { esp: 'postmark', source: 'main' });
  const { events } = await normalizeRecord(record, normalizeSettings(parsed(sources)));
  return events;
}

test('reads as the fields of the source say, and gives the event no other id for it', async () => {
  const fields = {
    campaign: ['metadata.none', 'tag.campaign'],
    stream: 'metadata.mailing',
    user: 'metadata.customer',
  };
  const [plain] = await read({});
  const [mapped] = await read({ main: { esp: 'postmark', fields } });
  const [other] = await read({ other: { esp: 'postmark', fields } });
  expect(plain).toMatchObject({ campaign: 'told', stream: 'outbound', metadata: ITEM.Metadata });
  expect(mapped).toEqual({
    ...plain,
    ...{ campaign: 'tagged', stream: 'm-7', metadata: { ...ITEM.Metadata, user: 'c-1' } },
  });
  expect(other).toEqual(plain);
});

test('paths that never have a value are told with their place in the configuration', () => {
  const { sources } = parsed({
    ok: { esp: 'ses', fields: { campaign: ['metadata.a', 'tag.a', 'headers.a', 'esp'] } },
    labelled: { esp: 'mailersend', fields: { campaign: ['tag.a', 'metadata.a'], user: 'headers.x' } },
    silent: { esp: 'loops', fields: { variant: 'tag.variant', user: 'esp' } },
    unknown: { esp: 'nope', fields: { variant: 'tag.variant' } },
  });
  let error: unknown;
  try {
    checkSourceFields({ sources });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problems).toEqual([
    { path: 'sources.labelled.fields.campaign.1', message: 'MailerSend reports no metadata' },
    { path: 'sources.labelled.fields.user', message: 'MailerSend reports no headers of the message' },
    { path: 'sources.silent.fields.variant', message: 'Loops reports no tags' },
  ]);
  expect(() => checkSourceFields(parsed({ ok: { esp: 'ses' } }))).not.toThrow();
});

test.each([
  'esp',
  'metadata.a',
  'tag.a b',
  'headers.X-A',
  'metadata.',
  'tags.a',
  'campaign',
  '',
  'metadata. a',
  'esp.a',
])('the configuration and the ESPs agree whether %j is a path', (text) => {
  const isTaken = () => parsed({ one: { esp: 'ses', fields: { campaign: text } } });
  if (fieldPath(text)) expect(isTaken).not.toThrow();
  else expect(isTaken).toThrow('sources.one.fields.campaign');
});
