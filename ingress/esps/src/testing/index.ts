import { elasticemailSigner } from './elasticemail-signer.ts';
import { mandrillSigner } from './mandrill-signer.ts';
import { sesSigner } from './ses-signer.ts';
import type { Signer } from './signer.ts';
import {
  authorizationSigner,
  basicSigner,
  bodyHmacSigner,
  customerioSigner,
  mailgunSigner,
  postalSigner,
  sendgridSigner,
  standardWebhooksSigner,
} from './signers.ts';
import { unisenderGoSigner } from './unisender-go-signer.ts';

export type { Signer, SignInput, SnsInput } from './signer.ts';
export {
  authorizationSigner,
  basicSigner,
  bodyHmacSigner,
  customerioSigner,
  elasticemailSigner,
  mailgunSigner,
  mandrillSigner,
  postalSigner,
  sendgridSigner,
  sesSigner,
  standardWebhooksSigner,
  unisenderGoSigner,
};

const SIGNERS: ReadonlyMap<string, () => Signer | Promise<Signer>> = new Map<
  string,
  () => Signer | Promise<Signer>
>([
  ['sendgrid', sendgridSigner],
  ['mailgun', () => mailgunSigner()],
  ['postmark', () => basicSigner('postmark')],
  ['customerio', () => customerioSigner()],
  ['loops', () => standardWebhooksSigner('loops')],
  ['mailersend', () => bodyHmacSigner('mailersend', 'signature')],
  ['mailtrap', () => bodyHmacSigner('mailtrap', 'mailtrap-signature')],
  ['postal', () => postalSigner()],
  ['resend', () => standardWebhooksSigner('resend', undefined, 'svix')],
  ['ses', sesSigner],
  ['mailjet', () => basicSigner('mailjet')],
  ['brevo', () => basicSigner('brevo')],
  ['elasticemail', () => elasticemailSigner()],
  ['smtp2go', () => basicSigner('smtp2go')],
  ['unisender-go', () => unisenderGoSigner()],
  ['mandrill', () => mandrillSigner()],
  ['sparkpost', () => basicSigner('sparkpost')],
  ['zeptomail', () => authorizationSigner('zeptomail')],
  ['standard-webhooks', () => standardWebhooksSigner('standard-webhooks')],
]);

/** A signer with keys of its own. Throws if there is none for this ESP. */
export async function createSigner(esp: string): Promise<Signer> {
  const create = SIGNERS.get(esp);
  if (!create) throw new Error(`no signer for ${esp}`);
  return create();
}
