import { expect, test } from 'vitest';
import { circlesIn, importsIn } from './import-graph.ts';
import { workspaces } from './workspaces.ts';

test.for(workspaces())(
  'no two neighbours of $folder import each other, directly or by others',
  ({ folder }) => {
    expect(circlesIn(importsIn(folder))).toEqual([]);
  },
);

test('imports of every package are seen', () => {
  for (const { folder } of workspaces())
    expect([folder, [...importsIn(folder).values()].flat().length]).not.toEqual([folder, 0]);
});

test('a circle is found between files, between folders, and between a file and a folder beside it', () => {
  const found = (imports: { [file: string]: string[] }) => circlesIn(new Map(Object.entries(imports)));
  expect(found({ 'p/a.ts': ['p/b.ts'], 'p/b.ts': ['p/c.ts'], 'p/c.ts': ['p/a.ts'] })).toEqual([
    'p: a.ts -> b.ts -> c.ts -> a.ts',
  ]);
  expect(found({ 'p/x/1.ts': ['p/y/1.ts'], 'p/y/2.ts': ['p/x/2.ts'] })).toEqual(['p: x -> y -> x']);
  expect(found({ 'p/x/deep/1.ts': ['p/a.ts'], 'p/a.ts': ['p/x/2.ts'] })).toEqual(['p: x -> a.ts -> x']);
  expect(found({ 'p/x/1.ts': ['p/y/1.ts', 'p/x/2.ts', 'p/a.ts'], 'p/y/1.ts': ['p/a.ts'] })).toEqual([]);
});
