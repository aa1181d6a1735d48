import { expect, test } from 'vitest';
import { javaMajor } from './java.ts';

test.each([
  ['openjdk version "21.0.8" 2025-07-15\nOpenJDK Runtime Environment', 21],
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_402"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ['openjdk version "26-ea" 2026-03-17', 26],
  ['command not found', null],
])('%s', (output, major) => {
  expect(javaMajor(output)).toBe(major);
});
