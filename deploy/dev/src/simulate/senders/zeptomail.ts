import { zeptomail as account } from '@email-events/esps/accounts/zeptomail';
import type { Step } from '../lifecycle.ts';
import type { Description } from './described.ts';
import { addressOf } from './sender.ts';

// Seen 2026-11: https://www.zoho.com/zeptomail/help/webhooks.html
const EVENTS: { readonly [type in Step['type']]?: string } = {
  ...{ delivered: 'delivered', opened: 'email_open', clicked: 'email_link_click' },
};

export const zeptomail: Description = {
  esp: 'zeptomail',
  proof: 'credential',
  account: account.signer,
  event({ step }, { random }) {
    const { message, type, detail } = step;
    const { failure, client, url } = detail;
    const bounce = failure?.bounceClass === 'hard' ? 'hardbounce' : 'softbounce';
    const name = type === 'bounced' ? bounce : EVENTS[type];
    const address = addressOf(step);
    return {
      event_name: [name],
      event_message: [
        {
          request_id: message.id,
          email_info: {
            from: { address: message.programme.sender, name: 'Shop' },
            to: [{ email_address: { address, name: '' } }],
            subject: message.variant.subject,
            is_smtp_trigger: false,
            processed_time: new Date(message.sentAt).toISOString(),
            object: 'email',
          },
          event_data: [
            {
              object: name,
              details: [
                {
                  time: new Date(step.at).toISOString().replace('.000Z', '+00:00'),
                  ...(failure ? { reason: failure.text, diagnostic_message: failure.text } : {}),
                  ...(failure ? { bounced_recipient: address } : {}),
                  ...(client ? { ip_address: client.ip, user_agent: client.userAgent } : {}),
                  ...(url === undefined ? {} : { clicked_link: url }),
                },
              ],
            },
          ],
        },
      ],
      mailagent_key: '2f5ac1b7c0d7',
      webhook_request_id: random.uuid(),
    };
  },
};
