import type { EspEvent } from '../adapter.ts';
import { text } from '../reading/fields.ts';
import { type JsonObject, listOf, objectOf } from '../reading/json.ts';

// What Resend says of a contact or of an address, rather than of a message. Seen 2026-11:
// https://resend.com/docs/webhooks/contacts/updated, …/contacts/topics-updated and …/suppressions/added.

/** A choice about future mail. */
export type Choice = Pick<EspEvent, 'type' | 'scope' | 'method'> & { readonly stream?: string };

/**
 * The choices in an event, empty if there is none. `unsubscribed: false` is none: every change of a contact has it, and
 * a new surname must not bring back somebody who has left by another way.
 */
export function choicesOf(vendorType: string, data: JsonObject): readonly Choice[] {
  switch (vendorType) {
    // The link of a broadcast arrives as an update of the contact.
    case 'contact.created':
    case 'contact.updated':
      return data.unsubscribed === true ? [{ type: 'unsubscribed', scope: 'all', method: 'contact' }] : [];
    case 'contact.topics.updated':
      return listOf(data.topics).map(objectOf).flatMap(topicChoice);
    case 'suppression.added':
      // Resend sends nothing to it any more. That it is removed says nothing of consent.
      return [
        { type: 'unsubscribed', scope: 'all', method: `suppression ${text(data.origin) ?? ''}`.trim() },
      ];
    default:
      return [];
  }
}

/** Only topics that changed are listed. */
function topicChoice({ id, subscription }: JsonObject): Choice[] {
  const topic = text(id);
  if (topic === null) return [];
  if (subscription === 'opt_out')
    return [{ type: 'unsubscribed', scope: topic, stream: topic, method: 'topic' }];
  return subscription === 'opt_in'
    ? [{ type: 'subscribed', scope: topic, stream: topic, method: 'topic' }]
    : [];
}
