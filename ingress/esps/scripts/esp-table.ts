import { EVENT_TYPES } from '@email-events/schemas';
import { markdownTable } from '@email-events/schemas/tools';
import { accountOf } from '../accounts/index.ts';
import type { Proof } from '../accounts/kit/account.ts';
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

/** Their guides, for operators. */
export function guideTable(all: readonly EspAdapter[] = adapters): string {
  const rows = all.map(({ name, title, facts }) => [`[${title}](${name}.md)`, `\`${name}\``, facts.proof]);
  return markdownTable([['guide', '`esp`', 'proof of a request'], ...rows]);
}

/** The fields that each of them fills by itself. */
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

const TRUST_HEADER = ['ESP', 'what proves a request', 'signed', 'accepted for', 'a request that was copied'];
/** `topics.retention.seenDays`, by default. */
const DEDUPE_MS = 7 * 86_400_000;

/** The table of how far a request of each ESP can be trusted. The proofs are those that the contract suite holds it to. */
export function trustTable(all: readonly EspAdapter[] = adapters): string {
  const rows = all.map(({ name, credentials }) => {
    const proof = accountOf(name).contract;
    const secret = credentials.secret ?? 'certificates of the ESP; option `topicArns` says whose';
    return [`\`${name}\``, secret, signedBy(proof), acceptedFor(proof), copied(proof)];
  });
  return markdownTable([TRUST_HEADER, ...rows]);
}

function signedBy({ tampered, replayToken, window }: Proof): string {
  if (tampered === 'SIGNATURE_WRONG') return window ? 'the body and a time' : 'the body';
  return replayToken ? 'a time and a token, not the event' : 'nothing';
}

function acceptedFor({ window }: Proof): string {
  return window ? timeText(window.past) : 'ever';
}

function timeText(ms: number): string {
  const hours = ms / 3_600_000;
  return hours < 1 ? `${ms / 60_000} min` : `${hours} h`;
}

function copied({ tampered, window, replayToken }: Proof): string {
  if (replayToken) return 'is a duplicate, later refused; with another body refused';
  if (tampered !== 'SIGNATURE_WRONG') return 'has the credential in it: whoever has it writes any event';
  if (window && window.past <= DEDUPE_MS) return 'is a duplicate, later refused';
  if (window)
    return `is a duplicate for 7 days, counts once more in the ${timeText(window.past - DEDUPE_MS)} after that, later refused`;
  return 'is a duplicate; after the dedupe window it counts once more';
}
