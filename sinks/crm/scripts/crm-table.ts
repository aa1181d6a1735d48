import { markdownTable } from '@email-events/schemas/tools';
import { crms } from '../src/adapters/index.ts';
import { CAPABILITIES, type CapabilityName, type PublishedPace } from '../src/capabilities.ts';
import { type Crm, RECIPIENT_STATES } from '../src/crm.ts';
import type { CrmHarness } from '../src/testing/harness.ts';

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

const NAMES = Object.keys(CAPABILITIES) as CapabilityName[];

/**
 * What each CRM's adapter can do, as a matrix: `?` is what it does not declare. `judged` are those of which the contract has seen what they
 * do to opt-outs.
 */
export function capabilitiesTable(judged: ReadonlySet<string>, all: readonly Crm[] = crms): string {
  const rows = all.map(({ name, facts: { capabilities, undoesOptOuts } }) => [
    `\`${name}\``,
    ...NAMES.map((capability) =>
      capabilities === undefined ? '?' : capabilities[capability] === false ? '–' : 'yes',
    ),
    undoesOptOuts !== undefined ? 'undoes' : judged.has(name) ? 'keeps' : 'not judged',
  ]);
  return markdownTable([['CRM', ...Object.values(CAPABILITIES), 'opt-outs made in the CRM'], ...rows]);
}

/** How it does each, what its credentials must be allowed, and how many calls it takes. */
export function meansTable(all: readonly Crm[] = crms): string {
  const rows = all.flatMap(({ name, facts }) => {
    const { capabilities, scopes, pace, undoesOptOuts, erasing } = facts;
    const means = NAMES.flatMap((capability) => {
      const how = capabilities?.[capability];
      return how ? [[CAPABILITIES[capability], how]] : [];
    });
    if (erasing) means.push([`once erased: ${erasing.after}`, erasing.how]);
    if (undoesOptOuts !== undefined) means.push(['undoes opt-outs', undoesOptOuts]);
    if (scopes && scopes.length > 0) means.push(['needs', scopes.map((scope) => `\`${scope}\``).join(', ')]);
    if (erasing?.scopes)
      means.push(['needs to erase', erasing.scopes.map((scope) => `\`${scope}\``).join(', ')]);
    if (pace) means.push(['is called at most', paceText(pace)]);
    return means.map((row) => [`\`${name}\``, ...row]);
  });
  return markdownTable([['CRM', 'it', 'how'], ...rows]);
}

function paceText({ windows, concurrency }: PublishedPace): string {
  const parts = windows.map(({ calls, perMs }) => `${calls} times in ${perMs / 1_000} s`);
  return [...parts, ...(concurrency === undefined ? [] : [`${concurrency} at a time`])].join(', ');
}

/** CRMs whose harness can play an opt-out that is made in the CRM. */
export async function judgedCrms(all: readonly Crm[] = crms): Promise<ReadonlySet<string>> {
  const judged = all.map(async ({ name }) => {
    const { harness } = (await import(`../src/adapters/${name}.harness.ts`)) as { harness: CrmHarness };
    return harness.play().optOut === undefined ? [] : [name];
  });
  return new Set((await Promise.all(judged)).flat());
}

/** Of a schema; empty if it has none, which the contract refuses. */
const textOf = (schema: object): string => (schema as { description?: string }).description ?? '';
