import type { SimulatedEsp } from '../credentials.ts';
import { mailgun } from './mailgun.ts';
import { postmark } from './postmark.ts';
import type { Sender } from './sender.ts';
import { sendgrid } from './sendgrid.ts';
import { ses } from './ses.ts';
import { standardWebhooks } from './standard-webhooks.ts';

export const senders: { readonly [esp in SimulatedEsp]: Sender } = {
  sendgrid,
  mailgun,
  ses,
  postmark,
  'standard-webhooks': standardWebhooks,
};
