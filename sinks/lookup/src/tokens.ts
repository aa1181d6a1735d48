import { hash, timingSafeEqual } from 'node:crypto';
import { ConfigError, type ConfigProblem } from '@email-events/core/config';
import { ABSENT, type LookupConfig, type LookupSettings } from './config.ts';

/** RFC 6750, 2.1. Shorter ones could be guessed. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const [SHORTEST, LONGEST] = [16, 512];

/** The tokens that callers may come with. */
export class Tokens {
  private readonly digests: readonly Buffer[];

  constructor(tokens: readonly string[]) {
    this.digests = tokens.map(digestOf);
  }

  /** Whether the value of the header `authorization` is one of the tokens, in a time that does not tell how near it comes to one. */
  admit(authorization: string | undefined): boolean {
    const [, token] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
    if (token === undefined || token.length > LONGEST) return false;
    const digest = digestOf(token);
    let found = false;
    for (const known of this.digests) found = timingSafeEqual(known, digest) || found;
    return found;
  }
}

/** The section sinks.lookup. A pipeline may have none, but then this service has nothing to do: throws ConfigError. */
export function lookupSettings({ sinks: { lookup } }: LookupConfig): LookupSettings {
  if (lookup) return lookup;
  throw new ConfigError([{ path: 'sinks.lookup', message: ABSENT }]);
}

/** Throws ConfigError if there is no token, or one that cannot be used. */
export function checkTokens({ sinks: { lookup } }: LookupConfig): readonly ConfigProblem[] {
  if (!lookup) return [];
  const problems: ConfigProblem[] = [];
  if (lookup.tokens.length === 0)
    problems.push({ path: 'sinks.lookup.tokens', message: 'at least one is needed: nobody could ask' });
  for (const [index, token] of lookup.tokens.entries()) {
    const message = problemOf(token.reveal());
    if (message !== undefined) problems.push({ path: `sinks.lookup.tokens.${index}`, message });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return [];
}

function problemOf(token: string): string | undefined {
  if (token.length < SHORTEST || token.length > LONGEST)
    return `has ${token.length} characters; ${SHORTEST} to ${LONGEST} are needed`;
  return TOKEN.test(token) ? undefined : 'has other characters than letters, digits and -._~+/=';
}

const digestOf = (token: string): Buffer => hash('sha256', token, 'buffer');
