import { expect, it } from 'vitest';
import { fieldProblems } from './field-mapping.ts';
import { type FieldSettings, fieldMapping, fieldPath, spellingProblems } from './field-paths.ts';
import { adapters, findAdapter } from './registry.ts';

it('everything after the first dot is the name; that of a header in any case', () => {
  expect(fieldPath('metadata.a.B c')).toMatchObject({ from: 'metadata', name: 'a.B c' });
  expect(fieldPath('headers.X-Campaign')).toMatchObject({ from: 'headers', name: 'x-campaign' });
  expect(fieldPath('tag.campaign')).toMatchObject({ from: 'tag', name: 'campaign' });
});

it.each([
  '',
  'campaign',
  'metadata',
  'metadata.',
  'metadata. a',
  'tags.campaign',
  'header.x',
  'ESP',
  'esp.campaign',
])('no path: %j', (text) => {
  expect(fieldPath(text)).toBeUndefined();
  expect(spellingProblems({ campaign: ['esp', text] })).toMatchObject([{ field: 'campaign', index: 1 }]);
  expect(spellingProblems({ stream: text })).toMatchObject([{ field: 'stream', index: undefined }]);
});

it('what is no text is no path', () => {
  expect(spellingProblems({ user: [7] } as unknown as FieldSettings)).toMatchObject([
    { field: 'user', index: 0 },
  ]);
});

it('what the ESP says comes last unless it is named; a list says the whole order', () => {
  const texts = (campaign: FieldSettings['campaign']) =>
    fieldMapping({ campaign }).paths.campaign.map(({ text }) => text);
  expect(texts(undefined)).toEqual(['esp', 'metadata.campaign', 'metadata.utm_campaign']);
  expect(texts('tag.campaign')).toEqual(['tag.campaign', 'esp']);
  expect(texts(['tag.a', 'esp', 'tag.b'])).toEqual(['tag.a', 'esp', 'tag.b']);
  expect(fieldMapping({ user: 'esp' }).paths.user.map(({ text }) => text)).toEqual(['esp', 'metadata.user']);
});

it('a path that never has a value at this ESP is a problem', () => {
  const settings = {
    campaign: ['metadata.a', 'tag.a', 'headers.a'],
    variant: 'esp',
    stream: 'nonsense',
  } as const;
  const problems = (esp: string) => {
    const adapter = findAdapter(esp);
    if (!adapter) throw new Error(esp);
    return fieldProblems(adapter, settings).map(({ field, index, message }) => [field, index, message]);
  };
  const spelling = ['stream', undefined, expect.stringContaining('metadata.<key>')];
  expect(problems('ses')).toEqual([spelling]);
  expect(problems('mailersend')).toEqual([
    spelling,
    ['campaign', 0, 'MailerSend reports no metadata'],
    ['campaign', 2, 'MailerSend reports no headers of the message'],
  ]);
  expect(problems('smtp2go')).toEqual([spelling, ['campaign', 1, 'SMTP2GO reports no tags']]);
});

it('what is looked for by itself is possible anywhere', () => {
  for (const adapter of adapters) expect(fieldProblems(adapter, {})).toEqual([]);
});
