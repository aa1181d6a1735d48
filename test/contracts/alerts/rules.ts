import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const FOLDER = join(import.meta.dirname, '../../../deploy/prometheus');

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly summary?: string; readonly runbook?: string };
}

/** One of promtool's unit tests. */
export interface RuleTest {
  readonly name: string;
  readonly promql_expr_test: readonly {
    readonly expr: string;
    readonly exp_samples: readonly { readonly labels: string }[];
  }[];
}

export const read = (file: string): string => readFileSync(join(FOLDER, file), 'utf8');

const RULE_FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.rules.yml'));
export const TEST_FILES = readdirSync(join(FOLDER, 'tests')).filter((file) => file.endsWith('.test.yml'));

export const rules: readonly Rule[] = RULE_FILES.flatMap((file) => {
  const { groups } = parse(read(file)) as { groups: readonly { rules: readonly Rule[] }[] };
  return groups.flatMap(({ rules: own }) => own);
});

export const alerts = rules.flatMap((rule) =>
  rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }],
);

export const ruleTests: readonly RuleTest[] = TEST_FILES.flatMap(
  (file) => (parse(read(`tests/${file}`)) as { tests: readonly RuleTest[] }).tests,
);

/** Names of alerts that a unit test wants to fire. */
export const firedIn = ({ promql_expr_test: checks }: RuleTest): string[] =>
  checks.flatMap(({ exp_samples: samples }) =>
    samples.flatMap(({ labels }) => /alertname="(\w+)"/.exec(labels)?.[1] ?? []),
  );

/** Metrics that a rule asks for, with the names of the labels by which it chooses. */
export function selectorsIn(expr: string): { readonly name: string; readonly labels: readonly string[] }[] {
  return [...expr.matchAll(/\b((?:email_events|nodejs|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', inner = '']) => ({
      name,
      labels: [...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label),
    }),
  );
}

/** Labels that Prometheus adds, or that a metric has wherever it is told. */
const EVERYWHERE = ['service', 'instance', 'job', 'crm', 'le'];

interface Metric {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Labels of each metric that any service tells. */
export function knownLabels(metrics: readonly Metric[]): ReadonlyMap<string, ReadonlySet<string>> {
  const labels = new Map<string, Set<string>>();
  for (const metric of metrics)
    labels.set(metric.name, new Set([...(labels.get(metric.name) ?? EVERYWHERE), ...metric.labels]));
  return labels;
}

/** Metrics and labels that these expressions ask for and nobody tells, and recorded ones that no rule records. */
export function straysIn(exprs: readonly string[], metrics: readonly Metric[]): string[] {
  const labels = knownLabels(metrics);
  const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
  return exprs.flatMap((expr) => [
    ...selectorsIn(expr).flatMap(({ name, labels: asked }) => {
      if (/^(?:nodejs|process)_/.test(name)) return [];
      const known = labels.get(name) ?? labels.get(name.replace(/_(?:bucket|count|sum)$/, ''));
      return known ? asked.filter((label) => !known.has(label)).map((label) => `${name}{${label}}`) : [name];
    }),
    ...[...expr.matchAll(/email_events:[a-z0-9_:]+/g)].flatMap(([name]) =>
      recorded.has(name) ? [] : [name],
    ),
  ]);
}
