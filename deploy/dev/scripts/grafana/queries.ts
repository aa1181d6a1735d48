import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';

/** By their uid, which the provisioned data sources have. */
export const CLICKHOUSE = { type: 'grafana-clickhouse-datasource', uid: 'email-events-clickhouse' };
export const PROMETHEUS = { type: 'prometheus', uid: 'email-events-prometheus' };

/** A query as Grafana's plugin for ClickHouse keeps it: the SDK has none of its own. */
interface ClickHouseQuery extends Dataquery {
  readonly refId: string;
  readonly datasource: typeof CLICKHOUSE;
  readonly editorType: 'sql';
  readonly rawSql: string;
  readonly queryType: 'timeseries' | 'table';
  /** The same as the type, for older versions of the plugin. */
  readonly format: 0 | 1;
}

/** With the plugin's macros ($__timeFilter, $__dateFilter, $__timeInterval) and Grafana's variables in it. */
export function sqlQuery(sql: string, type: ClickHouseQuery['queryType']): Builder<Dataquery> {
  const query: ClickHouseQuery = {
    ...{ refId: 'A', datasource: CLICKHOUSE, editorType: 'sql', rawSql: sql.trim(), queryType: type },
    format: type === 'timeseries' ? 0 : 1,
    _implementsDataqueryVariant() {},
  };
  return { build: () => query };
}

export function promQuery(expr: string, legend: string, refId: string): Builder<Dataquery> {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).refId(refId).datasource(PROMETHEUS).range();
}
