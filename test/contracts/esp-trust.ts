import type { EspAdapter } from '@email-events/esps';
import { markdownTable } from '@email-events/schemas/tools';
import { SCHEMES, type Scheme } from './esp-schemes.ts';

const HEADER = ['ESP', 'what proves a request', 'signed', 'accepted for', 'a request that was copied'];
/** `topics.retention.seenDays`, by default. */
const DEDUPE_MS = 7 * 86_400_000;

/** What a request of each ESP is worth, as the table of TRUST.md: the schemes are those that the contract suite holds it to. */
export function trustTable(adapters: readonly EspAdapter[]): string {
  const rows = adapters.map(({ name, credentials }) => {
    const scheme = SCHEMES[name];
    if (!scheme) throw new Error(`no scheme of ${name}`);
    const proof = credentials.secret ?? 'certificates of the ESP; option `topicArns` says whose';
    return [`\`${name}\``, proof, signedBy(scheme), windowOf(scheme), copied(scheme)];
  });
  return markdownTable([HEADER, ...rows]);
}

function signedBy({ tampered, replayToken, window }: Scheme): string {
  if (tampered === 'SIGNATURE_WRONG') return window ? 'the body and a time' : 'the body';
  return replayToken ? 'a time and a token, not the event' : 'nothing';
}

function windowOf({ window }: Scheme): string {
  return window ? timeText(window.past) : 'ever';
}

function timeText(ms: number): string {
  const hours = ms / 3_600_000;
  return hours < 1 ? `${ms / 60_000} min` : `${hours} h`;
}

function copied({ tampered, window, replayToken }: Scheme): string {
  if (replayToken) return 'is a duplicate, later refused; with another body refused';
  if (tampered !== 'SIGNATURE_WRONG') return 'has the credential in it: whoever has it writes any event';
  if (window && window.past <= DEDUPE_MS) return 'is a duplicate, later refused';
  if (window)
    return `is a duplicate for 7 days, counts once more in the ${timeText(window.past - DEDUPE_MS)} after that, later refused`;
  return 'is a duplicate; after the dedupe window it counts once more';
}
