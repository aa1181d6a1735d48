import { BOUNCE_REASONS, BOUNCE_RULES, type BounceRule } from './bounce-reasons.ts';

/** Text of SQL. */
const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

/** The reason, of expressions for the enhanced status (empty if none) and for the words in lower case (empty if none). */
export function bounceReasonSql(status: string, text: string): string {
  const condition = (rule: BounceRule) =>
    [
      ...(rule.status === undefined ? [] : [`match(${status}, ${quote(rule.status)})`]),
      ...(rule.text === undefined ? [] : [`match(${text}, ${quote(rule.text)})`]),
    ].join(' AND ');
  const cases = BOUNCE_RULES.map((rule) => `    ${condition(rule)}, ${quote(rule.reason)}`);
  return `multiIf(\n${cases.join(',\n')},\n    'other')`;
}

/** hard or soft, of expressions for the reason and the enhanced status. */
export function bounceClassSql(reason: string, status: string): string {
  const hard = Object.entries(BOUNCE_REASONS).flatMap(([name, entry]) => (entry.hard ? [quote(name)] : []));
  return `if(${reason} IN (${hard.join(', ')}) AND NOT startsWith(${status}, '4.'), 'hard', 'soft')`;
}

/** Whether a category of an ESP contradicts the reason: of expressions for both. */
export function categoryDiffersSql(reason: string, category: string): string {
  const agree = Object.entries(BOUNCE_REASONS).flatMap(([name, { categories }]) =>
    categories.map((each) => `(${quote(name)}, ${quote(each)})`),
  );
  return `(${category} NOT IN ('', 'other') AND ${reason} != 'other' AND (${reason}, ${category}) NOT IN (${agree.join(', ')}))`;
}
