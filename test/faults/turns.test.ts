import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

/** A task that ends when it is told to, and the names of those that began. */
function tasks() {
  const began: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  const task = (name: string) => () => {
    began.push(name);
    const end = Promise.withResolvers<string>();
    ends.set(name, end);
    return end.promise;
  };
  return { began, task, end: (name: string) => ends.get(name)?.resolve(name), ends };
}

test('tasks of one key are done one after the other, those of others meanwhile', async () => {
  const { began, task, end } = tasks();
  const turns = new Turns<string>();
  const [first, second] = [turns.take('a', task('a1')), turns.take('a', task('a2'))];
  const other = turns.take('b', task('b1'));
  expect(began).toEqual(['a1', 'b1']);
  end('a1');
  expect(await first).toBe('a1');
  await expect.poll(() => began).toEqual(['a1', 'b1', 'a2']);
  end('b1');
  end('a2');
  expect(await Promise.all([second, other])).toEqual(['a2', 'b1']);
});

test('an urgent one comes next, though others waited before it', async () => {
  const { began, task, end } = tasks();
  const turns = new Turns<string>();
  const all = [
    turns.take('a', task('at work')),
    turns.take('a', task('waits')),
    turns.take('a', task('urgent'), true),
  ];
  for (const name of ['at work', 'urgent', 'waits']) {
    await expect.poll(() => began.at(-1)).toBe(name);
    end(name);
  }
  await Promise.all(all);
});

test('one that fails is the next one’s turn as well, and a key whose tasks are over begins anew', async () => {
  const { began, task, end, ends } = tasks();
  const turns = new Turns<string>();
  const first = turns.take('a', task('fails'));
  const second = turns.take('a', task('then'));
  ends.get('fails')?.reject(new Error('no'));
  await expect(first).rejects.toThrow('no');
  await expect.poll(() => began).toEqual(['fails', 'then']);
  end('then');
  await second;
  const third = turns.take('a', task('anew'));
  expect(began.at(-1)).toBe('anew');
  end('anew');
  await third;
});
