import { bounceClassSql, bounceReasonSql, categoryDiffersSql } from './bounce-sql.ts';
import {
  factCountSql,
  factIdsSql,
  factKindsSql,
  factSql,
  factTimeSql,
  factTimesSql,
  kindSql,
  timeSql,
} from './facts.ts';
import { MAILBOX_PROVIDERS, OTHER_PROVIDER } from './mailbox-providers.ts';
import { metricColumns, metricValues } from './metric-sql.ts';
import { agentKindSql, settingSql } from './reaction-sql.ts';

/**
 * Fills in what the tables of this folder say: {{mailbox_provider DOMAIN}}, {{bounce_reason STATUS | WORDS}}, {{bounce_class REASON | STATUS}},
 * {{category_differs REASON | CATEGORY}}, {{metric_columns NAME …}}, {{metric_values NAME …}}, {{agent_kind USER_AGENT}}, {{setting NAME}},
 * {{fact ROW}}, {{fact_times FIRST [LAST]}}, {{fact_count FIRST [LAST]}}, {{fact_ids FIRST [LAST]}}, {{fact_time FACT}}, {{fact_kinds FACT}},
 * {{kind NAME}}, {{earliest TIMES}} and {{latest TIMES}}.
 */
export function modelSql(sql: string): string {
  return sql.replaceAll(/\{\{(\w+) ([^{}]+)\}\}/g, (placeholder, name: string, text: string) => {
    const fill = Object.hasOwn(FILLINGS, name) ? FILLINGS[name] : undefined;
    return fill ? fill(text.trim()) : placeholder;
  });
}

const FILLINGS: { readonly [name: string]: (text: string) => string } = {
  mailbox_provider: mailboxProviderSql,
  bounce_reason: (text) => bounceReasonSql(...pairOf(text)),
  bounce_class: (text) => bounceClassSql(...pairOf(text)),
  category_differs: (text) => categoryDiffersSql(...pairOf(text)),
  metric_columns: (text) => metricColumns(text.split(/\s+/)),
  agent_kind: agentKindSql,
  fact: factSql,
  fact_times: (text) => factTimesSql(...kindsOf(text)),
  fact_ids: (text) => factIdsSql(...kindsOf(text)),
  fact_time: factTimeSql,
  fact_kinds: factKindsSql,
  kind: kindSql,
  fact_count: (text) => factCountSql(...kindsOf(text)),
  earliest: (times) => timeSql('arrayMin', times),
  latest: (times) => timeSql('arrayMax', times),
  setting: (name) => settingSql(name, '{{database}}.reaction_settings'),
  metric_values: (text) => metricValues(text.split(/\s+/)),
};

function kindsOf(text: string): [string, string] {
  const [first = '', last = first] = text.split(/\s+/);
  return [first, last];
}

function pairOf(text: string): [string, string] {
  const [first = '', second, ...more] = text.split(' | ');
  if (second === undefined || more.length > 0) throw new Error(`two expressions are needed: ${text}`);
  return [first, second];
}

/** Of an expression that is a domain. A dictionary or a table would have to be there whenever something is read; this is part of the statement. */
function mailboxProviderSql(domain: string): string {
  const pairs = Object.entries(MAILBOX_PROVIDERS).flatMap(([provider, domains]) =>
    domains.map((name) => [name, provider] as const),
  );
  const known = [['', ''], ...pairs];
  const texts = (index: 0 | 1) => known.map((pair) => `'${pair[index]}'`).join(', ');
  return `transform(${domain}, [${texts(0)}], [${texts(1)}], '${OTHER_PROVIDER}')`;
}
