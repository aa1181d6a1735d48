import { expect, test } from 'vitest';
import { identifierOf, markdownTable, replaceSection, slugProblem, titleOf } from './tools.ts';

test('a table has a row for each, dashes for nothing, and no bar that is not its own', () => {
  expect(
    markdownTable([
      ['a', 'b'],
      ['1|2', ''],
    ]),
  ).toBe('| a | b |\n| --- | --- |\n| 1\\|2 | – |');
});

test('only what is between the markers changes', () => {
  const text = '# A\n<!-- esps: do not edit -->\nold\n<!-- /esps -->\nB\n';
  expect(replaceSection(text, 'esps', 'do not edit', 'new')).toBe(text.replace('old', 'new'));
  for (const [name, note] of [
    ['crms', 'do not edit'],
    ['esps', 'edit'],
  ] as const)
    expect(() => replaceSection(text, name, note, 'new')).toThrow('no section');
});

test('a slug becomes an identifier and a title', () => {
  expect([identifierOf('acme-mail'), titleOf('acme-mail')]).toEqual(['acmeMail', 'Acme Mail']);
});

const existing = (source: string) => ({
  exists: (slug: string) => slug === 'there',
  sources: () => [source],
});

test.for([
  ['there', 'exists already'],
  ['', 'at most 20'],
  ['Acme', 'at most 20'],
  ['acme--mail', 'at most 20'],
  ['an-esp-with-a-long-name', 'at most 20'],
  ['new', 'word of the language'],
  ['known', 'has a meaning'],
] as const)('%s is no name for an adapter', ([slug, reason]) => {
  expect(slugProblem(slug, existing('const known = 1;'))).toContain(reason);
});

test('a name that the file of another one begins with is free', () => {
  expect(slugProblem('acme', existing("import { acmeMail } from './esps/acme-mail.ts';"))).toBeNull();
  expect(slugProblem('acme', existing("import { acme } from './esps/acme.ts';"))).toContain('has a meaning');
});
