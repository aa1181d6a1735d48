import type { Crm } from '../crm.ts';
import { activecampaign } from './activecampaign.ts';
import { braze } from './braze.ts';
import { customerio } from './customerio.ts';
import { http } from './http.ts';
import { hubspot } from './hubspot.ts';
import { intercom } from './intercom.ts';
import { iterable } from './iterable.ts';
import { klaviyo } from './klaviyo.ts';
import { salesforce } from './salesforce.ts';

/** Every CRM, one line each. Static: nothing that is configured decides what is loaded. */
export const crms: readonly Crm[] = [
  activecampaign,
  braze,
  customerio,
  http,
  hubspot,
  intercom,
  iterable,
  klaviyo,
  salesforce,
];

const BY_NAME: ReadonlyMap<string, Crm> = new Map(crms.map((crm) => [crm.name, crm]));

export function findCrm(name: string): Crm | undefined {
  return BY_NAME.get(name);
}
