import type { EspAdapter } from './adapter.ts';
import { brevo } from './esps/brevo.ts';
import { customerio } from './esps/customerio.ts';
import { elasticemail } from './esps/elasticemail.ts';
import { loops } from './esps/loops.ts';
import { mailersend } from './esps/mailersend.ts';
import { mailgun } from './esps/mailgun.ts';
import { mailjet } from './esps/mailjet.ts';
import { mailtrap } from './esps/mailtrap.ts';
import { mandrill } from './esps/mandrill.ts';
import { postal } from './esps/postal.ts';
import { postmark } from './esps/postmark.ts';
import { resend } from './esps/resend.ts';
import { sendgrid } from './esps/sendgrid.ts';
import { ses } from './esps/ses.ts';
import { smtp2go } from './esps/smtp2go.ts';
import { sparkpost } from './esps/sparkpost.ts';
import { standardWebhooks } from './esps/standard-webhooks.ts';
import { unisenderGo } from './esps/unisender-go.ts';
import { zeptomail } from './esps/zeptomail.ts';

/** Every ESP, one line each. Static: nothing a request says decides what is loaded. */
export const adapters: readonly EspAdapter[] = [
  brevo,
  customerio,
  elasticemail,
  loops,
  mailersend,
  mailgun,
  mailjet,
  mailtrap,
  mandrill,
  postal,
  postmark,
  resend,
  sendgrid,
  ses,
  smtp2go,
  sparkpost,
  standardWebhooks,
  unisenderGo,
  zeptomail,
];

const BY_NAME: ReadonlyMap<string, EspAdapter> = new Map(adapters.map((adapter) => [adapter.name, adapter]));

export function findAdapter(name: string): EspAdapter | undefined {
  return BY_NAME.get(name);
}
