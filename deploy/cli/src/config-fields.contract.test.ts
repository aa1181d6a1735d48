import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runBin } from './testing.ts';

const dir = mkdtempSync(join(tmpdir(), 'config-fields-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('`config check` names paths that are none and paths that the ESP never fills, each with its line', async () => {
  const config = join(dir, 'pipeline.yaml');
  writeFileSync(
    config,
    `sources:
  letters:
    esp: mailersend
    secrets: ["0123456789abcdef0123456789abcdef"]
    fields:
      campaign: [tag.campaign, metadata.campaign]
      variant:
        - esp
        - headers.x-variant
  shop:
    esp: sendgrid
    secrets: []
    fields:
      stream: category
`,
  );
  const { code, out } = await runBin(['config', 'check', '--config', config, '--json']);
  expect(code).toBe(1);
  const { problems } = JSON.parse(out) as { problems: { path: string; line: number; message: string }[] };
  const ours = problems.filter(({ path }) => path.includes('.fields.'));
  expect(ours.map(({ path, line, message }) => [path, line, message])).toEqual([
    ['sources.shop.fields.stream', 14, expect.stringMatching(/^must be metadata\.<key>/)],
    ['sources.letters.fields.campaign.1', 6, 'MailerSend reports no metadata'],
    ['sources.letters.fields.variant.1', 9, 'MailerSend reports no headers of the message'],
  ]);
});
