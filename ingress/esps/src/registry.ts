import type { EspAdapter } from './adapter.ts';
import { mailgun } from './esps/mailgun.ts';
import { postmark } from './esps/postmark.ts';
import { resend } from './esps/resend.ts';
import { sendgrid } from './esps/sendgrid.ts';
import { ses } from './esps/ses.ts';
import { standardWebhooks } from './esps/standard-webhooks.ts';

/** Every ESP, one line each. Static: nothing a request says decides what is loaded. */
export const adapters: readonly EspAdapter[] = [mailgun, postmark, resend, sendgrid, ses, standardWebhooks];

const BY_NAME: ReadonlyMap<string, EspAdapter> = new Map(adapters.map((adapter) => [adapter.name, adapter]));

export function findAdapter(name: string): EspAdapter | undefined {
  return BY_NAME.get(name);
}
