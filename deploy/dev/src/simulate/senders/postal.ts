import { postal as account } from '@email-events/esps/accounts/postal';
import type { Step } from '../lifecycle.ts';
import { type Description, eventIdOf } from './described.ts';
import { addressOf } from './sender.ts';

// Seen 2026-11: https://docs.postalserver.io/developer/webhooks
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'MessageSent', deferred: 'MessageDelayed', bounced: 'MessageDeliveryFailed' },
  ...{ opened: 'MessageLoaded', clicked: 'MessageLinkClicked' },
};
const STATUS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'Sent', deferred: 'SoftFail', bounced: 'HardFail' },
};

export const postal: Description = {
  esp: 'postal',
  proof: 'signature',
  account: account.signer,
  event({ step }, context) {
    const { message, type, detail } = step;
    const { failure, client } = detail;
    const status = STATUS[type];
    return {
      event: EVENTS[type],
      timestamp: step.at / 1000,
      uuid: eventIdOf(step, context),
      payload: {
        message: {
          id: message.index,
          token: 'Xsk2Zt3pQ4',
          direction: 'outgoing',
          message_id: `${message.id}@mg.shop.example`,
          to: addressOf(step),
          from: message.programme.sender,
          subject: message.variant.subject,
          timestamp: message.sentAt / 1000,
          spam_status: 'NotChecked',
          tag: message.programme.tags[0] ?? null,
        },
        ...(status ? { status, details: `${status} by the server`, sent_with_ssl: true, time: 0.31 } : {}),
        ...(status ? { output: failure?.text ?? '250 2.0.0 OK', timestamp: step.at / 1000 } : {}),
        ...(client ? { ip_address: client.ip, user_agent: client.userAgent } : {}),
        ...(detail.url === undefined ? {} : { url: detail.url, token: 'Lq7c' }),
      },
    };
  },
};
