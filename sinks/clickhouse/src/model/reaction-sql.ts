import { AGENT_RULES, REACTION_SETTINGS, type SettingName } from './reaction-rules.ts';

const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

/** A setting: what the installation says, else the default. `table` is where it says so. */
export function settingSql(name: string, table: string): string {
  const setting = Object.hasOwn(REACTION_SETTINGS, name) ? REACTION_SETTINGS[name as SettingName] : undefined;
  if (!setting) throw new Error(`no setting ${name}`);
  return `ifNull((SELECT argMaxOrNull(value, changed_at) FROM ${table} WHERE name = ${quote(name)}), ${setting.value})`;
}

/** scanner, prefetch, proxy, client, or empty: of an expression that is a user agent. */
export function agentKindSql(agent: string): string {
  const cases = AGENT_RULES.map(
    (rule) => `match(lower(${agent}), ${quote(rule.agent)}), ${quote(rule.kind)}`,
  );
  return `multiIf(\n      ${cases.join(',\n      ')},\n      '')`;
}
