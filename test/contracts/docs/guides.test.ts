import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBin } from '@email-events/cli/testing';
import { adapters, type EspAdapter, findAdapter } from '@email-events/esps';
import { accountOf, createSigner } from '@email-events/esps/accounts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { answerFor } from '../../../ingress/src/answers.ts';
import { codeIn, type Guide, guidedEsps, outsideLinks, readGuide, SECTIONS } from './guides.ts';

/** A guide says of its ESP what the adapter knows, and its YAML is a source that starts. */
const SECRETS = 'file:/etc/email-events/secrets';
const ESPS = adapters.map(({ name }) => name).sort();

interface GuidedSource {
  readonly esp: string;
  readonly account?: string;
  readonly secrets?: readonly string[];
  readonly options?: { readonly [name: string]: unknown };
}

const folder = mkdtempSync(join(tmpdir(), 'guides-'));
let problems: readonly { readonly path: string; readonly message: string }[];

beforeAll(async () => {
  problems = await checked(guidedEsps());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every ESP has a guide, and every guide an ESP', () => {
  expect(guidedEsps()).toEqual(ESPS);
  const listed = readGuide('README').text.matchAll(/\]\(([a-z0-9-]+)\.md\) \| `([^`]+)`/g);
  expect([...listed].map(([, file, name]) => [file, name]).sort()).toEqual(ESPS.map((esp) => [esp, esp]));
});

describe.each(guidedEsps())('%s', (esp) => {
  const guide = readGuide(esp);
  const adapter = adapterOf(esp);

  test('has the sections of every guide', () => {
    expect(guide.title).toBe(adapter.title);
    expect(guide.headings).toEqual(SECTIONS);
  });

  test('links to the pages of the adapter', () => {
    const { documentation, http } = adapter;
    const pages = [...documentation, ...(http.addresses ? [http.addresses.page] : [])];
    expect(outsideLinks(guide.text)).toEqual([...new Set(pages)].sort());
  });

  test('has a source that config check takes', () => {
    expect(Object.keys(sourcesOf(guide))).toEqual([esp]);
    expect(sourceOf(guide)).toMatchObject({ esp, account: expect.any(String) });
    expect(problems.filter(({ path }) => path.startsWith(`sources.${esp}.`))).toEqual([]);
  });

  test('enters the URL of that source', () => {
    expect(guide.section('At the ESP')).toContain(`<host>/webhooks/email-events/${esp}`);
  });

  test('says what the secret is, and every option', () => {
    const { secret, options } = adapter.credentials;
    const rows = new Map(guide.rows('The source').map(([key = '', holds = '']) => [key, holds]));
    expect(rows.get('`secrets`')).toContain(secret ?? 'none');
    expect([...rows.keys()].filter((key) => key.startsWith('`options.'))).toEqual(
      options.map(({ name }) => `\`options.${name}\``),
    );
    const given = Object.keys(sourceOf(guide).options ?? {});
    expect(given).toEqual(
      expect.arrayContaining(options.filter(({ required }) => required).map(({ name }) => name)),
    );
  });

  test('switches on events that exist, of every type that is reported', () => {
    const { eventTypes } = adapter.facts;
    const told = guide
      .rows('Events')
      .flatMap(([, arrivesAs = '', becomes = '']) =>
        codeIn(arrivesAs).map((type) => [type, becomes] as const),
      );
    expect(told.filter(([type, becomes]) => eventTypes[type] !== becomes)).toEqual([]);
    const canonical = (types: readonly string[]) =>
      [...new Set(types)].filter((type) => type !== 'other').sort();
    expect(canonical(told.map(([, becomes]) => becomes))).toEqual(canonical(Object.values(eventTypes)));
  });

  test('allows the addresses that are published', () => {
    const { addresses } = adapter.http;
    expect(guide.yaml('Addresses')).toEqual(addresses && { allow: addresses.cidrs });
  });

  test('has the statuses of our answers, and the retries of the ESP', () => {
    const { http, facts } = adapter;
    const answers = guide.rows('Answers').map(([when, status]) => [when, Number(status)]);
    expect(answers).toEqual(
      expect.arrayContaining([
        ['taken', 200],
        ['not verified', answerFor('unauthorized', http).status],
        ['not from `allow`', answerFor('forbidden', http).status],
        ['over a rate', answerFor('over-rate', http).status],
        ['not now', answerFor('later', http).status],
      ]),
    );
    const figures = facts.retries.match(/\d[\d.]*(?:xx)?/g) ?? [];
    const section = guide.section('Answers');
    expect(figures.filter((figure) => !new RegExp(`(?<![\\d.])${figure}(?![\\dx])`).test(section))).toEqual(
      [],
    );
  });

  test('names the codes of a wrong and of a missing secret', () => {
    const { wrongKey, missing } = accountOf(esp).contract;
    expect(codeIn(guide.section('See that it works'))).toEqual(expect.arrayContaining([wrongKey, missing]));
  });

  test('keeps its secret by reference', () => {
    const expected = adapter.credentials.secret === null ? undefined : [`${SECRETS}/${esp}`];
    expect(sourceOf(guide).secrets).toEqual(expected);
  });
});

test('a wrong option in a guide is a problem of its source', async () => {
  const found = await checked(['brevo'], (source) => ({ ...source, options: { tokenParamter: 'token' } }));
  expect(found.map(({ path }) => path)).toEqual(['sources.brevo.options.tokenParamter']);
});

/** The answer of `config check` to the sources of these guides together, their secrets being those of an account at each ESP. */
async function checked(esps: readonly string[], change = (source: GuidedSource) => source) {
  const sources: { [name: string]: object } = {};
  for (const esp of esps) {
    const guide = readGuide(esp);
    const source = change(sourceOf(guide));
    const { secrets } = (await createSigner(esp)).settings;
    writeFileSync(join(folder, esp), `${secrets[0] ?? ''}\n`);
    const references = source.secrets?.map((reference) => reference.replace(SECRETS, `file:${folder}`));
    const allow = (guide.yaml('Addresses') as { allow?: readonly string[] } | undefined)?.allow;
    sources[esp] = { ...source, ...(references && { secrets: references }), ...(allow && { allow }) };
  }
  const file = join(folder, 'pipeline.yaml');
  writeFileSync(file, stringify({ sources }));
  const { out, err } = await runBin(['config', 'check', '--json', '--config', file]);
  expect(err).toBe('');
  const report = JSON.parse(out) as { problems: typeof problems; warnings: typeof problems };
  return [...report.problems, ...report.warnings];
}

function sourcesOf(guide: Guide): { readonly [name: string]: GuidedSource } {
  return (guide.yaml('The source') as { sources?: { [name: string]: GuidedSource } }).sources ?? {};
}

function sourceOf(guide: Guide): GuidedSource {
  const source = sourcesOf(guide)[guide.esp];
  if (!source) throw new Error(`the guide to ${guide.esp} has no source of this name`);
  return source;
}

function adapterOf(esp: string): EspAdapter {
  const adapter = findAdapter(esp);
  if (!adapter) throw new Error(`a guide to ${esp}, which is no ESP`);
  return adapter;
}
