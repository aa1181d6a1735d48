import { expect, test } from 'vitest';
import { Slots } from './slots.ts';

/** Runs jobs of so many steps, each giving way in between; returns the steps in order, and the most that ran at a time. */
async function order(count: number, jobs: { readonly [name: string]: number }) {
  const slots = new Slots(count);
  const steps: string[] = [];
  let running = 0;
  let most = 0;
  const step = async (name: string, n: number) => {
    steps.push(`${name}${n}`);
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
  };
  await Promise.all(
    Object.entries(jobs).map(([name, length]) =>
      slots.run(async () => {
        for (let n = 1; n <= length; n++) {
          if (n > 1) await slots.pass();
          await step(name, n);
        }
      }),
    ),
  );
  return { steps, most };
}

test('work that gives way lets those go first that wait already', async () => {
  expect(await order(1, { a: 3, b: 1, c: 2 })).toEqual({
    steps: ['a1', 'b1', 'c1', 'a2', 'c2', 'a3'],
    most: 1,
  });
});

test('no more run than there are slots, and giving way to nobody is no wait', async () => {
  const { steps, most } = await order(2, { a: 4, b: 4, c: 4, d: 1 });
  expect(most).toBe(2);
  expect(steps.toSorted()).toEqual(
    ['a', 'b', 'c'].flatMap((name) => [1, 2, 3, 4].map((n) => `${name}${n}`)).concat('d1'),
  );
  expect((await order(1, { a: 3 })).steps).toEqual(['a1', 'a2', 'a3']);
});

test('a slot comes free after work that failed while others were let by', async () => {
  const slots = new Slots(1);
  const failing = slots.run(async () => {
    await slots.pass();
    throw new Error('no');
  });
  const other = slots.run(async () => 'done');
  await expect(failing).rejects.toThrow('no');
  expect(await other).toBe('done');
  expect(await slots.run(async () => 'later')).toBe('later');
});
