import type { CommonConfig } from '../common.ts';
import type { Finding } from '../problems.ts';
import { secretsOf } from '../secrets.ts';

/**
 * ESPs give out longer secrets: Mandrill's keys have 22 characters, those of Mailgun, MailerSend and Mailtrap 32 and more,
 * whsec_ secrets 24 bytes. An operator made up a shorter one, and an attacker can guess it from one signed request.
 */
const SHORTEST_BYTES = 16;

/**
 * Warns about secrets of sources that an attacker can guess, since anybody may post to a webhook. It judges no passwords: the systems
 * that give them out do. It judges only secrets that are read.
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

/** Of `user:password` only the password counts, of `whsec_…` the bytes that it encodes. */
function secretBytes(secret: string): number {
  const encoded = /^whsec_(.*)$/s.exec(secret)?.[1];
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').length;
  return Buffer.byteLength(secret.slice(secret.indexOf(':') + 1));
}
