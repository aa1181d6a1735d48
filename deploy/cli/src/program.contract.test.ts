import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runBin } from './testing.ts';

test('--version says the version of the package', async () => {
  const manifest = fileURLToPath(new URL('../package.json', import.meta.url));
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  expect(await runBin(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test.each([
  [['help'], 'Usage: email-events [options] [command]'],
  [['help', 'inspect'], 'Usage: email-events inspect'],
  [['help', 'dlq'], 'Usage: email-events dlq'],
  [['help', 'dlq', 'list'], 'Usage: email-events dlq list'],
])('%j shows that command, and its examples', async (args, usage) => {
  const { code, out } = await runBin(args);
  expect([code, out]).toEqual([0, expect.stringContaining(usage)]);
  if (args.length === 3) expect(out).toContain('$ npx email-events dlq list');
});

test('acl print is one rule a line, for the prefix of the configuration', async () => {
  const env = { EMAIL_EVENTS_KAFKA_GROUP_PREFIX: 'other' };
  const { code, out } = await runBin(['acl', 'print', '--principal', 'normalize'], { env });
  const rule = (rest: string) => `--allow-principal User:normalize --operation ${rest}`;
  expect([code, out.trimEnd().split('\n')]).toEqual([
    0,
    expect.arrayContaining([
      rule('Read --topic email.raw'),
      rule('Read --operation Write --topic email.internal.tokens'),
      rule('Read --group other.normalize'),
      rule('Write --transactional-id other.normalize- --resource-pattern-type prefixed'),
    ]),
  ]);
  expect((await runBin(['acl', 'print', '--principal', 'nobody'])).code).toBe(2);
});

test.each([[['help', 'nope']], [['help', 'dlq', 'nope']]])('%j is wrong usage', async (args) => {
  const { code, err } = await runBin(args);
  expect([code, err]).toEqual([2, expect.stringMatching(/CLI_USAGE no command.* "nope"; there are: /)]);
});
