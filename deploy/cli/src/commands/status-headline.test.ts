import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { headline } from './status.ts';

type Told = Parameters<typeof headline>[0];
const WELL: Told = { ready: true, services: [], onlyRefused: [], accounting: null, concerns: [] };
const told = (but: Partial<Told>) => stripVTControlCharacters(headline({ ...WELL, ...but }));
const concern = (urgent: boolean) => ({ service: 'ingress', urgent, text: 'its certificate …' });

test('what is red further down is said at once', () => {
  expect(told({})).toBe('ready');
  expect(told({ concerns: [concern(false)] })).toBe('ready');
  expect(told({ concerns: [concern(false), concern(true)] })).toBe('ready, look at what is red below');
  expect(told({ ready: false, onlyRefused: ['shop'] })).toBe('not ready, 1 source gets nothing but refusals');
});
