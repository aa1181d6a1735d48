import { expect, test } from 'vitest';
import { rollupQueries, summedColumns, targetOf } from './rollups.ts';

const columns = [
  { name: 'hour', key: true },
  { name: 'esp', key: true },
  { name: 'events', key: false },
];
const target = (engine_full: string, more: { name: string; key: boolean }[] = []) => ({
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
  const clicks = [{ name: 'clicks', key: false }];
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
