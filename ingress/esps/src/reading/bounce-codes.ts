import type { EventType } from '@email-events/schemas';
import type { BounceCategory, BounceClass } from './smtp.ts';

/** What a code means for the address. */
export interface BounceMeaning {
  readonly type: EventType;
  readonly bounceClass?: BounceClass;
  readonly category?: BounceCategory;
}

/**
 * SparkPost (bounce_class) and Mandrill (bgtools_code) number their bounces in the same way.
 * Seen 2026-11: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
 */
export const BOUNCE_CODES: ReadonlyMap<string, BounceMeaning> = new Map<string, BounceMeaning>([
  ['1', { type: 'bounced', bounceClass: 'undetermined' }],
  ['10', { type: 'bounced', bounceClass: 'hard', category: 'invalid_mailbox' }],
  ['20', { type: 'bounced', bounceClass: 'soft' }],
  ['21', { type: 'bounced', bounceClass: 'soft', category: 'domain_not_found' }],
  ['22', { type: 'bounced', bounceClass: 'soft', category: 'mailbox_full' }],
  ['23', { type: 'bounced', bounceClass: 'soft', category: 'too_large' }],
  ['24', { type: 'bounced', bounceClass: 'soft', category: 'timeout' }],
  ['25', { type: 'bounced', bounceClass: 'undetermined', category: 'policy' }],
  ['30', { type: 'bounced', bounceClass: 'hard', category: 'invalid_mailbox' }],
  ['40', { type: 'bounced', bounceClass: 'soft' }],
  ['50', { type: 'bounced', bounceClass: 'soft', category: 'policy' }],
  ['51', { type: 'bounced', bounceClass: 'soft', category: 'spam' }],
  ['52', { type: 'bounced', bounceClass: 'soft', category: 'spam' }],
  ['53', { type: 'bounced', bounceClass: 'soft', category: 'content' }],
  ['54', { type: 'bounced', bounceClass: 'soft', category: 'relay' }],
  // An answering machine, a request to be put on a list or a challenge: the mail has arrived.
  ['60', { type: 'other' }],
  ['70', { type: 'bounced', bounceClass: 'soft' }],
  ['80', { type: 'other' }],
  ['90', { type: 'unsubscribed' }],
  ['100', { type: 'other' }],
]);
