import type { EventType } from '@email-events/schemas';
import { addressList } from '../../reading/fields.ts';
import { type FormFields, firstField, lastField } from '../../reading/form.ts';
import { type JsonObject, listOf, parseJson } from '../../reading/json.ts';

// Webhooks from before 2018 post flat forms. Facts: https://github.com/mailgun/documentation (api-webhooks.rst), seen 2026-11.

/** The form's own event names, for the feature matrix; the others are spelt as in the JSON. */
export const LEGACY_EVENT_TYPES = { bounced: 'bounced', dropped: 'dropped' } as const satisfies {
  [vendor: string]: EventType;
};

// Any other name is a custom variable of the sender.
const OWN_NAMES: ReadonlySet<string> = new Set(
  `event recipient domain ip country region city user-agent device-type client-type client-name client-os bot
   campaign-id campaign-name tag x-mailgun-tag mailing-list url timestamp token signature message-id message-headers
   reason code error notification description attachment-count body-plain body-html severity`.split(/\s+/),
);

/** A form in the shape of the JSON webhook, so that one reading serves both. */
export function legacyEvent(fields: FormFields): JsonObject {
  // A custom variable may have the name of one of Mailgun's fields: these come first, but the signature's come last.
  const first = (name: string) => firstField(fields, name);
  const headers = messageHeaders(first('message-headers'));
  const header = (name: string) => headers.find(([other]) => other === name)?.[1];
  return {
    signature: {
      timestamp: lastField(fields, 'timestamp'),
      token: lastField(fields, 'token'),
      signature: lastField(fields, 'signature'),
    },
    'event-data': {
      event: first('event'),
      reason: first('reason'),
      'delivery-status': {
        code: first('code'),
        message: first('error') ?? first('description') ?? first('notification'),
      },
      recipient: first('recipient'),
      timestamp: lastField(fields, 'timestamp'),
      url: first('url'),
      ip: first('ip'),
      'client-info': { 'user-agent': first('user-agent'), bot: first('bot') },
      'mailing-list': { address: first('mailing-list') },
      campaigns: [{ id: first('campaign-id'), name: first('campaign-name') }],
      tags: fields.filter(([name]) => TAG.test(name)).map(([, value]) => value),
      message: {
        headers: {
          'message-id': first('Message-Id') ?? first('message-id') ?? header('message-id'),
          from: addressList(header('from'))[0],
          to: header('to'),
          subject: header('subject'),
        },
      },
      'user-variables': Object.fromEntries(fields.filter(([name]) => !OWN_NAMES.has(name.toLowerCase()))),
    },
  };
}

const TAG = /^(?:tag|x-mailgun-tag)$/i;

/** `message-headers` is a JSON list of pairs. It is decoration, so a broken one is no headers. */
function messageHeaders(json: string | undefined): [name: string, value: unknown][] {
  if (json === undefined) return [];
  try {
    return listOf(parseJson(json))
      .map(listOf)
      .map(([name, value]) => [String(name).toLowerCase(), value]);
  } catch {
    return [];
  }
}
