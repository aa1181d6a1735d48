import { markdownTable } from '@email-events/schemas/tools';
import { crms } from '../src/adapters/index.ts';
import { type Crm, RECIPIENT_STATES } from '../src/crm.ts';

/** The settings of sinks.crm for each kind, as a Markdown table. */
export function settingsTable(all: readonly Crm[] = crms): string {
  const rows = all.map(({ name, title, documentation, settings, facts }) => {
    const { url, secrets, options } = settings.shape;
    const described = Object.entries(options.shape).map(([key, option]) => `\`${key}\`: ${textOf(option)}`);
    return [
      `[${title}](${documentation[0]}) \`${name}\``,
      textOf(url),
      textOf(secrets),
      described.join('; '),
      facts.limits,
      facts.limitations.join(' '),
    ];
  });
  return markdownTable([['CRM', '`url`', '`secrets`', '`options`', 'limits', 'limitations'], ...rows]);
}

/** The effect of each state of a recipient in each CRM: states with the same effect are one row. */
export function statesTable(all: readonly Crm[] = crms): string {
  const rows = all.flatMap(({ name, facts: { states } }) => {
    const said = new Map<string, string[]>();
    for (const state of RECIPIENT_STATES) {
      const { effect, how } = states[state];
      const key = JSON.stringify([effect, how]);
      said.set(key, [...(said.get(key) ?? []), state]);
    }
    return [...said].map(([key, same]) => [
      `\`${name}\``,
      same.join(', '),
      ...(JSON.parse(key) as [string, string]),
    ]);
  });
  return markdownTable([['CRM', 'state', 'it', 'how'], ...rows]);
}

/** Of a schema; empty if it has none, which the contract refuses. */
const textOf = (schema: object): string => (schema as { description?: string }).description ?? '';
