import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const DAY_MS = 86_400_000;

/**
 * Remembers single-use tokens of signatures that do not cover the body: with such a token anybody who saw it could
 * sign another body. The same token with the same body is an honest redelivery.
 */
export class ReplayGuard {
  readonly #seen = new LRUCache<string, string>({ max: 100_000, ttl: DAY_MS });

  /** No if the token came with another body before. */
  accept(source: string, token: string, body: Buffer): boolean {
    const key = `${source}\n${hash('sha256', token, 'base64')}`;
    const digest = hash('sha256', body, 'base64');
    const before = this.#seen.get(key);
    if (before === undefined) this.#seen.set(key, digest);
    return before === undefined || before === digest;
  }
}
