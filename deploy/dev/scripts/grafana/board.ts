import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  type Panel,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { CLICKHOUSE } from './queries.ts';

interface Board {
  readonly title: string;
  /** Of the file too. */
  readonly uid: string;
  /** How far back it shows at first. */
  readonly from: string;
  /** How often an open one asks again. */
  readonly refresh: '1m' | '15m';
  readonly variables?: readonly QueryVariableBuilder[];
  readonly panels: readonly Builder<Panel>[];
}

export function board({ title, uid, from, refresh, variables = [], panels }: Board): DashboardBuilder {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .tags(['email-events'])
    .time({ from, to: 'now' })
    // As all times in ClickHouse, and as its days are.
    .timezone('utc')
    .refresh(refresh)
    .readonly();
  for (const variable of variables) builder.withVariable(variable);
  for (const panel of panels) builder.withPanel(panel);
  return builder;
}

/** How a query names what is chosen of a variable, each value in quotes. */
const chosen = (name: string) => `$\{${name}:singlequote}`;
/** `source IN (…)`. */
export const SOURCES = chosen('source');
/** `campaign = …`. */
export const CAMPAIGN = chosen('campaign');

/** All webhooks at first. */
export const sourceVariable = () =>
  variable('source', 'SELECT DISTINCT source FROM events_by_esp_and_type ORDER BY source')
    .multi(true)
    .includeAll(true);

/** One campaign at a time, the latest first. */
export const campaignVariable = () => variable('campaign', campaignsOf("h.campaign != ''", 1));

/** The same of campaigns with several variants. */
export const testVariable = () =>
  variable('campaign', campaignsOf("h.campaign != '' AND h.variant != ''", 2));

const campaignsOf = (where: string, variants: number) =>
  `SELECT campaign FROM hourly_counts AS h WHERE ${where}
GROUP BY campaign HAVING uniqExact(h.variant) >= ${variants} ORDER BY max(h.hour) DESC, campaign LIMIT 500`;

const variable = (name: string, sql: string) =>
  new QueryVariableBuilder(name).datasource(CLICKHOUSE).query(sql).refresh(VariableRefresh.OnDashboardLoad);
