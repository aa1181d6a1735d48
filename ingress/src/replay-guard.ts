import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const DAY_MS = 86_400_000;

/**
 * Remembers single-use tokens of signatures that do not cover the body: with such a token anybody who saw it could
 * sign another body. The same token with the same body is an honest redelivery.
 */
export class ReplayGuard {
  readonly #seen = new LRUCache<string, string>({ max: 100_000, ttl: DAY_MS });

  /** No if the token of this digest came with another body before. */
  accept(key: string, body: Buffer): boolean {
    const digest = hash('sha256', body, 'base64');
    const before = this.#seen.get(key);
    if (before === undefined) this.#seen.set(key, digest);
    return before === undefined || before === digest;
  }
}
