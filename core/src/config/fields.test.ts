import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { commonConfig } from './compose.ts';

const dir = mkdtempSync(join(tmpdir(), 'fields-'));
afterAll(() => rmSync(dir, { recursive: true }));

function examined(text: string, env: NodeJS.ProcessEnv = {}) {
  const path = join(dir, 'pipeline.yaml');
  writeFileSync(path, text);
  return commonConfig.examine(path, env);
}

test('a path, or several', () => {
  const fields = {
    campaign: 'metadata.a.b c',
    variant: ['esp', 'tag.variant'],
    stream: 'headers.List-Id',
    user: 'esp',
  };
  expect(commonConfig.parse({ sources: { one: { esp: 'ses', fields } } }).sources.one?.fields).toEqual(
    fields,
  );
  expect(commonConfig.parse({ sources: { one: { esp: 'ses' } } }).sources.one?.fields).toBeUndefined();
});

test('what is none is named with its line, in one go', () => {
  const { problems } = examined(`sources:
  one:
    esp: ses
    fields:
      campaign: tags.campaign
      variant:
        - metadata.variant
        - metadata.
      stream: []
      user: 7
      mailing: esp
  two:
    esp: postmark
    fields: campaign
`);
  expect(problems.map(({ path, line }) => [path, line])).toEqual([
    ['sources.one.fields.campaign', 5],
    ['sources.one.fields.variant.1', 8],
    ['sources.one.fields.stream', 9],
    ['sources.one.fields.user', 10],
    ['sources.one.fields.mailing', 11],
    ['sources.two.fields', 14],
  ]);
  expect(problems[0]?.message).toContain('must be metadata.<key>, tag.<name>, headers.<name> or esp');
  expect(problems[3]?.message).toContain('a list');
});

test('the environment may say it', () => {
  const env = { EMAIL_EVENTS_SOURCES_ONE_FIELDS_CAMPAIGN: '[metadata.a, esp]' };
  expect(examined('sources: { one: { esp: ses } }', env).config.sources.one?.fields).toEqual({
    campaign: ['metadata.a', 'esp'],
  });
  const one = { EMAIL_EVENTS_SOURCES_ONE_FIELDS_USER: 'metadata.customer' };
  expect(examined('sources: { one: { esp: ses } }', one).config.sources.one?.fields).toEqual({
    user: 'metadata.customer',
  });
});
