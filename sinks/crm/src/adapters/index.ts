import type { Crm } from '../crm.ts';
import { activecampaign } from './activecampaign.ts';
import { bottlecrm } from './bottlecrm.ts';
import { braze } from './braze.ts';
import { brevo } from './brevo.ts';
import { customerio } from './customerio.ts';
import { ghost } from './ghost.ts';
import { http } from './http.ts';
import { hubspot } from './hubspot.ts';
import { intercom } from './intercom.ts';
import { iterable } from './iterable.ts';
import { klaviyo } from './klaviyo.ts';
import { listmonk } from './listmonk.ts';
import { mailchimp } from './mailchimp.ts';
import { salesforce } from './salesforce.ts';
import { sendgrid } from './sendgrid.ts';

/** Every CRM, one line each. Static: nothing that is configured decides what is loaded. */
export const crms: readonly Crm[] = [
  activecampaign,
  bottlecrm,
  braze,
  brevo,
  customerio,
  ghost,
  http,
  hubspot,
  intercom,
  iterable,
  klaviyo,
  listmonk,
  mailchimp,
  salesforce,
  sendgrid,
];

const BY_NAME: ReadonlyMap<string, Crm> = new Map(crms.map((crm) => [crm.name, crm]));

export function findCrm(name: string): Crm | undefined {
  return BY_NAME.get(name);
}
