import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { renderAbTable } from './report.ts';

const row = {
  ...{ campaign: 'autumn', source: 'main', variant: 'B', delivered: 3_300, opened: 800, clicked: 0 },
  ...{ open_rate: 0.2424, open_difference_low: 0.0123, open_difference_high: 0.0764, open_p_value: 4.2e-7 },
  ...{ open_verdict: 'better', click_rate: 0, click_verdict: 'undecided' },
  ...{ click_difference_low: -0.0301, click_difference_high: 0.0049, click_p_value: 0.43219 },
};
const lines = async (...rows: Parameters<typeof renderAbTable>[0]) =>
  stripVTControlCharacters(await renderAbTable(rows))
    .split('\n')
    .map((line) => line.split(/ {2,}/));

test('says by how much, how sure, and what follows; no p-value is zero', async () => {
  const [head, shown] = await lines(row);
  expect(head?.slice(3, 7)).toEqual(['open rate', 'above others by', 'p', 'verdict']);
  expect(shown).toEqual([
    ...['autumn', 'main', 'B', '24.2 %', '+1.2 to +7.6', '<0.001', 'better'],
    ...['0.0 %', '−3.0 to +0.5', '0.432', 'undecided'],
  ]);
});

test.each([
  [0, '<0.001'],
  [0.00099, '<0.001'],
  [0.001, '0.001'],
  [1, '1.000'],
])('p of %d is %s', async (open_p_value, text) => {
  const [, shown] = await lines({ ...row, open_p_value });
  expect(shown?.[5]).toBe(text);
});

test('nothing is said of what cannot be compared', async () => {
  const nothing = { open_difference_low: null, open_difference_high: null, open_p_value: null };
  const [, shown] = await lines({ ...row, ...nothing, open_rate: null, open_verdict: 'undecided' });
  expect(shown?.slice(2, 5)).toEqual(['B', 'undecided', '0.0 %']);
});
