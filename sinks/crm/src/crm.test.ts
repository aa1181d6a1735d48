import { expect, test } from 'vitest';
import { type ContactAccess, forAll, type RecipientState, readPatchVerify } from './crm.ts';
import { CrmError } from './errors.ts';
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

test.each([
  [[undefined], [], 'unchanged'],
  [['update', undefined], ['update'], 'written'],
] as const)(
  'a write that is refused is looked at again: then it lacks %j',
  async (later, applied, result) => {
    const differences: (string | undefined)[] = ['create', ...later];
    const patches: string[] = [];
    const access: ContactAccess<string> = {
      difference: async () => differences.shift(),
      async apply(patch) {
        if (patch === 'create') throw new CrmError('rejected', 'SINK_CRM_REJECTED', '409');
        patches.push(patch);
      },
    };
    expect(await readPatchVerify(access, stateOf(), signal)).toBe(result);
    expect(patches).toEqual(applied);
  },
);

test.each(['rejected', 'throttled'] as const)('a write that stays %s is no success', async (failure) => {
  const access: ContactAccess<string> = {
    difference: async () => 'update',
    async apply() {
      throw new CrmError(failure, 'SINK_CRM_REJECTED', 'no');
    },
  };
  await expect(readPatchVerify(access, stateOf(), signal)).rejects.toMatchObject({ failure });
});

test.each([
  ['rejected', ['a', 'b', 'c']],
  ['unavailable', ['a', 'b', 'c']],
  ['throttled', ['a', 'b']],
  ['misconfigured', ['a', 'b']],
] as const)(
  'a target that fails as %s: those after it have their turn if it may be the target',
  async (failure, tried) => {
    const seen: string[] = [];
    const error = new CrmError(failure, 'SINK_CRM_REJECTED', 'no');
    const all = forAll(['a', 'b', 'c'], async (target) => {
      seen.push(target);
      if (target === 'b') throw error;
    });
    await expect(all).rejects.toBe(error);
    expect(seen).toEqual(tried);
  },
);
