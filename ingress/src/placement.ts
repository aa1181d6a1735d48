import type { PublishRecord } from '@email-events/core';
import { partitionOf } from '@email-events/schemas';
import { FairShare } from './fair-share.ts';

/** Which partition of email.raw a request goes to, if it matters. */
export class Placement {
  readonly #partitions: number;
  readonly #share: FairShare;

  constructor(partitions: number) {
    this.#partitions = partitions;
    this.#share = new FairShare(partitions);
  }

  /** Sources that are kept apart from those that send less (see FairShare). */
  get heavySources(): number {
    return this.#share.heavySources;
  }

  /**
   * A request whose signature covers a token alone lies with all others of the same token, so that a second body shows;
   * any other goes where its source has its share.
   */
  of(
    source: string,
    bytes: number,
    tokenDigest: string | null | undefined,
  ): Pick<PublishRecord, 'partition'> {
    const shared = this.#share.partitionFor(source, bytes, performance.now());
    const partition = tokenDigest ? partitionOf(tokenDigest, this.#partitions) : shared;
    return partition === undefined ? {} : { partition };
  }
}
