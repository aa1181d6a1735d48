import { FURTHER_ESPS, type FurtherEsp, type SimulatedEsp } from '../credentials.ts';
import { brevo } from './brevo.ts';
import { customerio } from './customerio.ts';
import { type Description, describedSender } from './described.ts';
import { elasticemail } from './elasticemail.ts';
import { loops } from './loops.ts';
import { mailersend } from './mailersend.ts';
import { mailgun } from './mailgun.ts';
import { mailjet } from './mailjet.ts';
import { mailtrap } from './mailtrap.ts';
import { mandrill } from './mandrill.ts';
import { postal } from './postal.ts';
import { postmark } from './postmark.ts';
import { resend } from './resend.ts';
import type { Sender } from './sender.ts';
import { sendgrid } from './sendgrid.ts';
import { ses } from './ses.ts';
import { smtp2go } from './smtp2go.ts';
import { sparkpost } from './sparkpost.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { unisenderGo } from './unisender-go.ts';
import { zeptomail } from './zeptomail.ts';

const described: { readonly [esp in FurtherEsp]: Description } = {
  ...{ resend, loops, mailersend, mailtrap, customerio, postal, zeptomail },
  ...{ sparkpost, mandrill, mailjet, brevo, elasticemail, 'unisender-go': unisenderGo, smtp2go },
};

export const senders: { readonly [esp in SimulatedEsp]: Sender } = {
  sendgrid,
  mailgun,
  ses,
  postmark,
  'standard-webhooks': standardWebhooks,
  ...(Object.fromEntries(FURTHER_ESPS.map((esp) => [esp, describedSender(described[esp])])) as {
    [esp in FurtherEsp]: Sender;
  }),
};
