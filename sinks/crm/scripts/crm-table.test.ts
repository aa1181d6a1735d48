import { expect, test } from 'vitest';
import { crms } from '../src/adapters/index.ts';
import { RECIPIENT_STATES } from '../src/crm.ts';
import { capabilitiesTable, meansTable, settingsTable, statesTable } from './crm-table.ts';

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

test('the matrix tells what is there from what is not, and from what is not declared', () => {
  const { capabilities } = crm.facts;
  if (!capabilities) throw new Error('nothing declared');
  const facts = {
    ...crm.facts,
    undoesOptOuts: 'one flag',
    capabilities: { ...capabilities, batch: '500 a call' },
  };
  const [matrix = ''] = rowsOf(capabilitiesTable(new Set(), [{ ...crm, facts }]));
  expect(matrix.split(' | ').filter((cell) => cell === 'yes').length).toBe(
    Object.values(facts.capabilities).filter((how) => how !== false).length,
  );
  expect(matrix).toMatch(/undoes \|$/);
  const { capabilities: _none, ...silent } = crm.facts;
  const [unknown = ''] = rowsOf(capabilitiesTable(new Set(), [{ ...crm, facts: silent }]));
  expect(unknown.split(' | ').filter((cell) => cell === '?')).toHaveLength(Object.keys(capabilities).length);
  expect(unknown).toMatch(/not judged \|$/);
  expect(capabilitiesTable(new Set([crm.name]), [crm])).toMatch(/keeps \|$/);
});

test('means: how it does each, what it needs, and its pace', () => {
  const pace = {
    windows: [
      { calls: 75, perMs: 1_000 },
      { calls: 750, perMs: 60_000 },
    ],
    concurrency: 10,
  } as const;
  const { erasing: _none, ...others } = crm.facts;
  const facts = { ...others, pace, scopes: ['a:write', 'b:read'] };
  const rows = rowsOf(meansTable([{ ...crm, facts }]));
  expect(rows.slice(-2)).toEqual([
    `| \`${crm.name}\` | needs | \`a:write\`, \`b:read\` |`,
    `| \`${crm.name}\` | is called at most | 75 times in 1 s, 750 times in 60 s, 10 at a time |`,
  ]);
  expect(rows).toHaveLength(
    2 + Object.values(crm.facts.capabilities ?? {}).filter((how) => how !== false).length,
  );
});

test('means: what becomes of an address whose contact was erased', () => {
  const erasing = { after: 'blocked', how: 'a hash of it is kept', scopes: ['c:delete'] } as const;
  const rows = rowsOf(meansTable([{ ...crm, facts: { ...crm.facts, scopes: ['a:write'], erasing } }]));
  expect(rows).toContain(`| \`${crm.name}\` | once erased: blocked | a hash of it is kept |`);
  expect(rows).toContain(`| \`${crm.name}\` | needs to erase | \`c:delete\` |`);
});
