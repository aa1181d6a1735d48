import { describe, expect, test } from 'vitest';
import { type ErasableContacts, eraseAll, isSame } from './erasing.ts';
import { CrmError } from './errors.ts';

const { signal } = new AbortController();
const QUICK = { firstMs: 1, mostMs: 1, patienceMs: 3 };

/** A CRM with these contacts, which shows a removal after so many looks, and two contacts a look. */
function crmOf(ids: readonly string[], { lag = 0, findsLate = false } = {}) {
  const contacts = new Map<string, number>(ids.map((id) => [id, Number.POSITIVE_INFINITY]));
  const removed: string[] = [];
  const erasable: ErasableContacts = {
    findsLate,
    async find() {
      for (const [id, looks] of contacts) {
        if (looks <= 0) contacts.delete(id);
        else contacts.set(id, looks - 1);
      }
      return [...contacts.keys()].slice(0, 2);
    },
    async remove(id) {
      removed.push(id);
      contacts.set(id, lag);
    },
  };
  return { erasable, removed, contacts };
}

describe('eraseAll', () => {
  test('takes out all, page by page, each once, and looks until none is left', async () => {
    const { erasable, removed, contacts } = crmOf(['a', 'b', 'c', 'd', 'e'], { lag: 1 });
    expect(await eraseAll(erasable, signal, { ...QUICK, patienceMs: 50 })).toBe('erased');
    expect(removed).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(contacts.size).toBe(0);
  });

  test('says that nobody was there, and removes nothing', async () => {
    const { erasable, removed } = crmOf([]);
    expect(await eraseAll(erasable, signal, QUICK)).toBe('absent');
    expect(removed).toEqual([]);
  });

  test('what the CRM has taken, and shows all the same, is under way', async () => {
    const { erasable } = crmOf(['a'], { lag: 1_000 });
    expect(await eraseAll(erasable, signal, QUICK)).toBe('underWay');
  });

  test('where the CRM finds for long who is gone, its answers count', async () => {
    const { erasable } = crmOf(['a'], { lag: 1_000, findsLate: true });
    expect(await eraseAll(erasable, signal, QUICK)).toBe('erased');
  });

  test('one that is refused keeps none of the others, and is told of', async () => {
    const { erasable, removed } = crmOf(['a', 'b']);
    const remove = async (id: string) => {
      if (id === 'a') throw new CrmError('rejected', 'SINK_CRM_REJECTED', 'not this one');
      await erasable.remove(id, signal);
    };
    await expect(eraseAll({ ...erasable, remove }, signal, QUICK)).rejects.toThrow('not this one');
    expect(removed).toEqual(['b']);
  });

  test('a CRM that has ever more contacts of one address is given up', async () => {
    let made = 0;
    const endless = {
      find: async () => Array.from({ length: 500 }, () => `${made++}`),
      remove: async () => {},
    };
    await expect(eraseAll(endless, signal, QUICK)).rejects.toMatchObject({ code: 'SINK_CRM_UNAVAILABLE' });
    expect(made).toBeLessThan(20_000);
  });
});

test.each([
  ['Ada@EXAMPLE.com', true],
  [' ada@example.com', true],
  ['hada@example.com', false],
  ['ada@example.com.example', false],
  ['', false],
  [null, false],
  [undefined, false],
])('%j is ada@example.com: %s', (address, same) => {
  expect(isSame(address, 'ada@example.com')).toBe(same);
});
