import type { EventType } from '@email-events/schemas';
import type { VendorWord } from './bounce.ts';

/** What a code says. */
export interface BounceMeaning extends VendorWord {
  readonly type: EventType;
}

/**
 * SparkPost (bounce_class) and Mandrill (bgtools_code) number their bounces in the same way.
 * Seen 2026-11: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
 */
export const BOUNCE_CODES: ReadonlyMap<string, BounceMeaning> = new Map<string, BounceMeaning>([
  ['1', { type: 'bounced', says: 'nothing' }],
  ['10', { type: 'bounced', says: 'address', category: 'invalid_mailbox' }],
  ['20', { type: 'bounced', says: 'soft' }],
  ['21', { type: 'bounced', says: 'soft', category: 'domain_not_found' }],
  ['22', { type: 'bounced', says: 'soft', category: 'mailbox_full' }],
  ['23', { type: 'bounced', says: 'soft', category: 'too_large' }],
  ['24', { type: 'bounced', says: 'soft', category: 'timeout' }],
  ['25', { type: 'bounced', says: 'nothing', category: 'policy' }],
  ['30', { type: 'bounced', says: 'address', category: 'invalid_mailbox' }],
  ['40', { type: 'bounced', says: 'soft' }],
  ['50', { type: 'bounced', says: 'message', category: 'policy' }],
  ['51', { type: 'bounced', says: 'message', category: 'spam' }],
  ['52', { type: 'bounced', says: 'message', category: 'spam' }],
  ['53', { type: 'bounced', says: 'message', category: 'content' }],
  ['54', { type: 'bounced', says: 'message', category: 'relay' }],
  // An answering machine, a request to be put on a list or a challenge: the mail has arrived.
  ['60', { type: 'other' }],
  ['70', { type: 'bounced', says: 'soft' }],
  ['80', { type: 'other' }],
  ['90', { type: 'unsubscribed' }],
  ['100', { type: 'other' }],
]);
