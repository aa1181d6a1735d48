import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';
import { secretsOf } from '../secrets.ts';

/**
 * What ESPs give out is longer: Mandrill's keys have 22 characters, those of Mailgun, MailerSend and Mailtrap 32 and more,
 * whsec_ secrets 24 bytes. Shorter ones were made up, and can be guessed from one signed request.
 */
const SHORTEST_BYTES = 16;

/**
 * Secrets of sources that can be guessed: anybody may try them. Passwords are for the systems that give them out to judge.
 * Only of those that are read.
 */
export function secretFindings({ sources }: CommonConfig): Finding[] {
  return secretsOf(sources, 'sources').flatMap(({ path, secret }): Finding[] => {
    if (!secret.isRead) return [];
    const bytes = secretBytes(secret.reveal());
    if (bytes >= SHORTEST_BYTES) return [];
    const message = `has ${bytes} of the ${SHORTEST_BYTES} bytes that cannot be guessed: whoever guesses it can send events`;
    return [{ level: 'warn', path, message }];
  });
}

/** Of `user:password` the password counts, of `whsec_…` what it encodes. */
function secretBytes(secret: string): number {
  const encoded = /^whsec_(.*)$/s.exec(secret)?.[1];
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').length;
  return Buffer.byteLength(secret.slice(secret.indexOf(':') + 1));
}
