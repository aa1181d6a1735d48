import { expect, test } from 'vitest';
import { bounceVerdict } from './bounce.ts';
import { NO_ANSWER } from './bounce-table.ts';

test('an answer is read as far as servers answer, since more would take very long', () => {
  const words = 'mailbox full';
  expect(bounceVerdict(NO_ANSWER, `${'x'.repeat(1_900)} ${words}`)).toMatchObject({
    bounce_category: 'mailbox_full',
  });
  expect(bounceVerdict(NO_ANSWER, `${'x'.repeat(400_000)} ${words}`)).toMatchObject({
    bounce_category: 'other',
  });
});
