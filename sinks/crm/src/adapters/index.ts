import type { Crm } from '../crm.ts';
import { customerio } from './customerio.ts';
import { http } from './http.ts';
import { hubspot } from './hubspot.ts';
import { klaviyo } from './klaviyo.ts';

/** Every CRM, one line each. Static: nothing that is configured decides what is loaded. */
export const crms: readonly Crm[] = [customerio, http, hubspot, klaviyo];

const BY_NAME: ReadonlyMap<string, Crm> = new Map(crms.map((crm) => [crm.name, crm]));

export function findCrm(name: string): Crm | undefined {
  return BY_NAME.get(name);
}
