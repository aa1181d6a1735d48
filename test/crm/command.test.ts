import { crms } from '@email-events/sink-crm';
import { expect, test } from 'vitest';
import { readCommand } from './command.ts';

test('5,000 events for every CRM, if nothing else is asked for', () => {
  expect(readCommand([])).toMatchObject({ events: 5_000, limit: 300, downMs: 12_000, seed: undefined });
  expect(readCommand([]).kinds).toEqual(crms.map(({ name }) => name));
  expect(readCommand(['--only', 'hubspot,ghost', '--events', '100', '--seed', '7'])).toMatchObject({
    ...{ kinds: ['hubspot', 'ghost'], events: 100, seed: 7 },
  });
});

test.each([[['--events', 'many']], [['--only', 'hubspot,spothub']], [['--down', '0']], [['--nothing']]])(
  '%j is refused',
  (args) => {
    expect(() => readCommand(args)).toThrow();
  },
);
