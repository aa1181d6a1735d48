import { expect, test } from 'vitest';
import { crms } from '../src/adapters/index.ts';
import { RECIPIENT_STATES } from '../src/crm.ts';
import { settingsTable, statesTable } from './crm-table.ts';

const rowsOf = (table: string) => table.split('\n').slice(2);
const [crm = undefined] = crms;
if (!crm) throw new Error('no CRM');

test('the table of settings has a row for every CRM of the registry, in its order', () => {
  expect(rowsOf(settingsTable()).map((row) => /`([^`]+)`/.exec(row)?.[1])).toEqual(
    crms.map(({ name }) => name),
  );
});

test('every state of a recipient is in one row of its CRM, and those that come to the same share one', () => {
  const rows = rowsOf(statesTable([crm])).map((row) => row.split(' | '));
  expect(rows.flatMap(([, states = '']) => states.split(', ')).sort()).toEqual([...RECIPIENT_STATES].sort());
  const same = { effect: 'leaves', how: 'a|b' } as const;
  const states = Object.fromEntries(
    RECIPIENT_STATES.map((state) => [state, same]),
  ) as typeof crm.facts.states;
  const one = rowsOf(statesTable([{ ...crm, facts: { ...crm.facts, states } }]));
  expect(one).toEqual([`| \`${crm.name}\` | ${RECIPIENT_STATES.join(', ')} | leaves | a\\|b |`]);
});
