import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const GRAFANA = join(import.meta.dirname, '../../../deploy/grafana');

interface Target {
  readonly datasource: { readonly uid: string; readonly type: string };
  readonly rawSql?: string;
  readonly queryType?: string;
  readonly expr?: string;
}

export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: string;
  readonly datasource: Target['datasource'];
  readonly targets: readonly Target[];
  readonly fieldConfig: {
    readonly defaults: { readonly unit?: string };
    readonly overrides: readonly {
      readonly matcher: { readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly templating: {
    readonly list?: readonly {
      readonly name: string;
      readonly query: string;
      readonly datasource: Target['datasource'];
    }[];
  };
  readonly panels: readonly Panel[];
}

/** As they are committed. */
export const DASHBOARDS: readonly Dashboard[] = readdirSync(join(GRAFANA, 'dashboards')).map(
  (file) => JSON.parse(readFileSync(join(GRAFANA, 'dashboards', file), 'utf8')) as Dashboard,
);

export interface Chosen {
  readonly from: number;
  readonly to: number;
  readonly intervalSeconds: number;
  readonly variables: { readonly [name: string]: readonly string[] };
}

/** What Grafana and its plugin for ClickHouse put in place of macros and variables (pkg/macros of grafana/clickhouse-datasource 4). */
export function filledIn(sql: string, { from, to, intervalSeconds, variables }: Chosen): string {
  const time = (at: number) => `toDateTime(${Math.floor(at / 1_000)})`;
  const date = (at: number) => `toDate('${new Date(at).toISOString().slice(0, 10)}')`;
  const filled = sql
    .replaceAll(/\$\{(\w+):singlequote\}/g, (_, name: string) =>
      (variables[name] ?? []).map((value) => `'${value.replaceAll("'", "\\'")}'`).join(','),
    )
    .replaceAll(
      /\$__timeFilter\((\w+)\)/g,
      (_, column) => `${column} >= ${time(from)} AND ${column} <= ${time(to)}`,
    )
    .replaceAll(
      /\$__dateFilter\((\w+)\)/g,
      (_, column) => `${column} >= ${date(from)} AND ${column} <= ${date(to)}`,
    )
    .replaceAll(
      /\$__timeInterval\((\w+)\)/g,
      (_, column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${intervalSeconds} second)`,
    )
    .replaceAll('$__fromTime', time(from));
  if (/\$[_{]/.test(filled)) throw new Error(`not filled in: ${filled}`);
  return filled;
}
