import { ConfigError, type ConfigProblem } from '@email-events/core';
import { crms, findCrm } from './adapters/index.ts';
import { ABSENT, type CrmConfig } from './config.ts';
import type { Crm, CrmSettings } from './crm.ts';

/** The section sinks.crm. A pipeline may have none, but then this service has nothing to do: throws ConfigError. */
export function crmSettings({ sinks: { crm } }: CrmConfig): CrmSettings {
  if (crm) return crm;
  throw new ConfigError([{ path: 'sinks.crm', message: ABSENT }]);
}

/** Checks the settings that only the CRM's adapter can judge. Throws ConfigError with every problem. */
export function checkCrmSettings({ sinks: { crm } }: CrmConfig): readonly ConfigProblem[] {
  if (!crm) return [];
  const problems = crmOf(crm).problems(crm);
  if (problems.length > 0) throw new ConfigError(problems);
  return [];
}

/** The CRM that is configured. Throws ConfigError if there is none of this kind. */
export function crmOf({ kind }: CrmSettings): Crm {
  const crm = findCrm(kind);
  if (crm) return crm;
  const known = crms.map(({ name }) => name).join(', ');
  throw new ConfigError([
    { path: 'sinks.crm.kind', message: `no CRM is called ${kind}; there are: ${known}` },
  ]);
}
