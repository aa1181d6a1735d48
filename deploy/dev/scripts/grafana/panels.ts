import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { DynamicConfigValue, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as SeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { CLICKHOUSE, PROMETHEUS, promQuery, sqlQuery } from './queries.ts';

/** Units of Grafana. `short`: a count; `percentunit`: a share of 1; `string`: a text. */
export type Unit = 'short' | 'percentunit' | 's' | 'string' | 'bytes' | 'reqps' | 'cps' | 'dateTimeAsIso';

interface Described {
  readonly title: string;
  /** For whoever looks at it: what it is, and what is bad. */
  readonly description: string;
}

interface Sql extends Described {
  readonly sql: string;
  /** Of 24. */
  readonly width?: number;
}

/** One number. */
export function stat({ title, description, sql, width = 6 }: Sql, unit: Unit): Builder<Panel> {
  return new StatBuilder()
    .title(title)
    .description(description)
    .datasource(CLICKHOUSE)
    .unit(unit)
    .decimals(unit === 'percentunit' ? 2 : 0)
    .span(width)
    .height(4)
    .noValue('–')
    .withTarget(sqlQuery(sql, 'table'));
}

/** Columns: `time`, numbers, and texts by which there are several lines. */
export function series({ title, description, sql, width = 12 }: Sql, unit: Unit): Builder<Panel> {
  return new SeriesBuilder()
    .title(title)
    .description(description)
    .datasource(CLICKHOUSE)
    .unit(unit)
    .span(width)
    .height(8)
    .withTarget(sqlQuery(sql, 'timeseries'));
}

/** Units by the names of columns; others are texts. */
export function table(
  { title, description, sql, width = 24 }: Sql,
  units: { readonly [column: string]: Unit },
): Builder<Panel> {
  const builder = new TableBuilder()
    .title(title)
    .description(description)
    .datasource(CLICKHOUSE)
    .filterable(true)
    .span(width)
    .height(8)
    .withTarget(sqlQuery(sql, 'table'));
  for (const [column, unit] of Object.entries(units)) builder.overrideByName(column, shownAs(unit));
  return builder;
}

const shownAs = (unit: Unit): DynamicConfigValue[] => [
  { id: 'unit', value: unit },
  ...(unit === 'percentunit' ? [{ id: 'decimals', value: 2 }] : []),
];

interface Line {
  readonly expr: string;
  readonly legend: string;
}

export function metric(
  {
    title,
    description,
    lines,
    width = 12,
  }: Described & { readonly lines: readonly Line[]; readonly width?: number },
  unit: Unit,
): Builder<Panel> {
  const builder = new SeriesBuilder()
    .title(title)
    .description(description)
    .datasource(PROMETHEUS)
    .unit(unit)
    .min(0)
    .span(width)
    .height(8);
  for (const [at, { expr, legend }] of lines.entries())
    builder.withTarget(promQuery(expr, legend, String.fromCharCode(65 + at)));
  return builder;
}
