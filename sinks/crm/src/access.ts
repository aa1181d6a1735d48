import { Secret } from '@email-events/core';
import { z } from 'zod';

/** Where the CRM is: https off loopback, without credentials, since addresses are logged. */
export function crmAddress(fallback: string, description: string) {
  return z
    .url()
    .superRefine((text, context) => {
      for (const message of addressProblems(text)) context.addIssue({ code: 'custom', message });
    })
    .default(fallback)
    .describe(description);
}

export interface SecretKind {
  /** What they are, in the CRM's words. */
  readonly description: string;
  /** Whether a text can be one of them. */
  readonly usable: (secret: string) => boolean;
  /** What to say of one that cannot. It never shows the secret. */
  readonly expected: string;
  /** How many there may be; default: any number. */
  readonly most?: number;
}

/** What the CRM knows us by: one secret at least. */
export function crmSecrets({ description, usable, expected, most = Number.MAX_SAFE_INTEGER }: SecretKind) {
  const secret = z.instanceof(Secret).refine((text) => usable(text.reveal()), expected);
  return z
    .array(secret)
    .min(1, `at least one is needed: ${description}`)
    .max(most, `at most ${most}: ${description}`)
    .describe(description);
}

/** Whether a header can carry it. */
export const isHeaderText = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

function addressProblems(text: string): string[] {
  const url = URL.parse(text);
  // What is no URL is told already.
  if (!url) return [];
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return ['must be an https address'];
  const problems: string[] = [];
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    problems.push('plain http is refused off loopback: use https');
  }
  if (url.username || url.password) problems.push('must not hold credentials: it is logged');
  return problems;
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
