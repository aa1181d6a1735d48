import { expect, test } from 'vitest';
import { type ContactAccess, type RecipientState, readPatchVerify } from './crm.ts';
import { stateOf } from './testing/values.ts';

const { signal } = new AbortController();

/** A CRM of one contact that holds whether it may be mailed; `takes` says whether a write holds. */
function contact(optedOut: boolean, takes = true) {
  const calls: string[] = [];
  const access: ContactAccess<boolean> = {
    async difference({ suppression }: RecipientState) {
      calls.push('read');
      return optedOut === suppression.suppressed ? undefined : suppression.suppressed;
    },
    async apply(patch) {
      calls.push(`patch ${patch}`);
      if (takes) optedOut = patch;
    },
  };
  return { access, calls };
}

test('a contact that already has the state is only read', async () => {
  const { access, calls } = contact(true);
  expect(await readPatchVerify(access, stateOf({ suppressed: true }), signal)).toBe('unchanged');
  expect(calls).toEqual(['read']);
});

test('a write is read back', async () => {
  const { access, calls } = contact(false);
  expect(await readPatchVerify(access, stateOf({ suppressed: true }), signal)).toBe('written');
  expect(calls).toEqual(['read', 'patch true', 'read']);
});

test('a write that does not hold is not reported as done', async () => {
  const { access } = contact(false, false);
  await expect(readPatchVerify(access, stateOf({ suppressed: true }), signal)).rejects.toMatchObject({
    code: 'SINK_CRM_UNVERIFIED',
    disposition: 'retry',
  });
});
