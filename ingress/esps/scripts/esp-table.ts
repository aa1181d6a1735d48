import { EVENT_TYPES } from '@email-events/schemas';
import { markdownTable } from '@email-events/schemas/tools';
import { type EspAdapter, FILLED_NAMES } from '../src/adapter.ts';
import { adapters } from '../src/registry.ts';

const HEADER = ['ESP', 'proof', 'secret', 'events', 'tries again', 'identity of an event', 'limitations'];

/** Every ESP of the registry and what its adapter says of it, as a Markdown table. */
export function espTable(all: readonly EspAdapter[] = adapters): string {
  const rows = all.map((adapter) => [
    `[${adapter.title}](${adapter.documentation[0]}) \`${adapter.name}\``,
    adapter.facts.proof,
    secretOf(adapter),
    eventsOf(adapter),
    adapter.facts.retries,
    adapter.facts.identity,
    adapter.facts.limitations.join(' '),
  ]);
  return markdownTable([HEADER, ...rows]);
}

/** Their titles, as a sentence has them. */
export function espNames(all: readonly EspAdapter[] = adapters): string {
  const titles = all.map(({ title }) => title);
  return `${new Intl.ListFormat('en').format(titles)}.`;
}

/** What each of them fills by itself. */
export function fillsTable(all: readonly EspAdapter[] = adapters): string {
  const rows = all.map(({ name, facts: { fills } }) => [
    `\`${name}\``,
    ...FILLED_NAMES.map((filled) => fills[filled] ?? ''),
  ]);
  return markdownTable([['ESP', ...FILLED_NAMES], ...rows]);
}

/** Canonical types that it reports. Left out: `other`, which any unknown type becomes. */
function eventsOf({ facts }: EspAdapter): string {
  const told = new Set(Object.values(facts.eventTypes));
  const types = EVENT_TYPES.filter((type) => type !== 'other');
  const missing = types.filter((type) => !told.has(type));
  if (missing.length === 0) return 'all';
  if (missing.length < 4) return `all but ${missing.join(', ')}`;
  return types.filter((type) => told.has(type)).join(', ');
}

function secretOf({ credentials }: EspAdapter): string {
  const required = credentials.options.filter((option) => option.required).map(({ name }) => `\`${name}\``);
  return [credentials.secret ?? 'the ESP’s own certificates', ...required].join(', ');
}
