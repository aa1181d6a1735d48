import { expect, test } from 'vitest';
import { isOfTest, unique, uniqueDatabase } from './unique.ts';

test('names of tests differ, and are told from those of others, also inside of longer ones', () => {
  expect(unique('topic')).not.toBe(unique('topic'));
  expect(uniqueDatabase('my-database')).toMatch(/^[a-z0-9_]+$/);
  for (const name of [unique('topic'), uniqueDatabase('database')]) {
    expect(isOfTest(name)).toBe(true);
    expect(isOfTest(`email-events.${name}-value`)).toBe(true);
  }
  for (const name of ['email.raw', 'email', 'latest1234567890', 'load-test', 'my_test_database', 'default']) {
    expect(isOfTest(name)).toBe(false);
  }
});
