import { expect, test } from 'vitest';
import { mergedColumns, mergeQueries, rollupQueries, summedColumns, targetOf } from './rollups.ts';

const columns = [
  { name: 'hour', key: true, type: 'DateTime' },
  { name: 'esp', key: true, type: 'String' },
  { name: 'events', key: false, type: 'UInt64' },
];
const target = (engine_full: string, more: { name: string; key: boolean; type: string }[] = []) => ({
  ...{ database: 'd', table: 't', engine_full },
  columns: [...columns, ...more],
});

test('the table of a view is the one that its statement names', () => {
  expect(targetOf('CREATE MATERIALIZED VIEW d.v TO d.t (`a` String) AS SELECT 1')).toEqual({
    ...{ database: 'd', table: 't' },
  });
  expect(targetOf('CREATE MATERIALIZED VIEW `d`.`v` TO `d`.`t` AS SELECT 1 FROM a')).toEqual({
    ...{ database: 'd', table: 't' },
  });
  expect(targetOf('CREATE MATERIALIZED VIEW d.v ENGINE = MergeTree AS SELECT 1')).toBeUndefined();
});

test('only a table whose columns are all keys or sums can be compared', () => {
  expect(summedColumns(target('SummingMergeTree(events) PARTITION BY x'))).toEqual(['events']);
  expect(
    summedColumns(target("ReplicatedSummingMergeTree('/p/{shard}', '{replica}', events) ORDER BY x")),
  ).toEqual(['events']);
  const clicks = [{ name: 'clicks', key: false, type: 'UInt64' }];
  expect(summedColumns(target('SummingMergeTree((events, clicks)) ORDER BY x', clicks))).toEqual([
    'events',
    'clicks',
  ]);
  expect(summedColumns(target('SummingMergeTree(events) ORDER BY x', clicks))).toBeUndefined();
  expect(summedColumns(target('AggregatingMergeTree ORDER BY x'))).toBeUndefined();
  expect(summedColumns(target('MergeTree ORDER BY x'))).toBeUndefined();
});

test('a view is compared by its key, in both directions', () => {
  const view = { name: 'v', as_select: 'SELECT 1', create_table_query: '' };
  const { differences, totals } = rollupQueries(view, target('SummingMergeTree(events)'), ['events']);
  expect(differences).toContain('GROUP BY `hour`, `esp` HAVING `surplus_events` != 0');
  expect(differences).toContain('-toInt64(`events`) AS signed_0 FROM (SELECT 1)');
  expect(totals).toContain('sum(events) AS events FROM `d`.`t`');
});

test('a table of states is compared if each is merged in a way that the judge knows', () => {
  const state = (name: string, type: string) => ({ name, key: false, type });
  const of = (engine_full: string, ...states: { name: string; key: boolean; type: string }[]) => ({
    ...{ database: 'd', table: 't', engine_full },
    columns: [{ name: 'message', key: true, type: 'String' }, ...states],
  });
  const first = state('first', 'SimpleAggregateFunction(min, Nullable(DateTime64(3)))');
  const ids = state('ids', 'SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))');
  const engine = 'AggregatingMergeTree ORDER BY message';
  expect(mergedColumns(of(engine, first, ids))).toEqual(
    new Map([
      ['first', 'min'],
      ['ids', 'groupUniqArrayArray'],
    ]),
  );
  // A sum is not the same when a row comes twice, and an unknown state cannot be compared.
  expect(
    mergedColumns(of(engine, first, state('n', 'SimpleAggregateFunction(sum, UInt64)'))),
  ).toBeUndefined();
  expect(mergedColumns(of(engine, state('u', 'AggregateFunction(uniq, String)')))).toBeUndefined();
  expect(mergedColumns(of(engine))).toBeUndefined();
  expect(mergedColumns(of('MergeTree ORDER BY message', first))).toBeUndefined();
  const view = { name: 'v', as_select: 'SELECT 1', create_table_query: '' };
  const target = of(engine, first, ids);
  const { differences } = mergeQueries(view, target, mergedColumns(target) ?? new Map());
  expect(differences).toContain('toString(tuple(min(`first`), arraySort(groupUniqArrayArray(`ids`))))');
  expect(differences).toContain("`first`, `ids`, 'rows' AS side FROM (SELECT 1)");
});
