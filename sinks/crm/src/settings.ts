import { createHash } from 'node:crypto';
import { ConfigError, type ConfigProblem } from '@email-events/core';
import { crms, findCrm } from './adapters/index.ts';
import { ABSENT, type CrmConfig, consumerOf } from './config.ts';
import type { Crm, CrmSettings } from './crm.ts';

/** A CRM of the configuration. */
export interface ConfiguredCrm {
  /** Undefined: that of the section itself, which was there before there could be several. */
  readonly name: string | undefined;
  /** Where its settings are. */
  readonly path: string;
  /** Of its group and dead letters. */
  readonly consumer: string;
  readonly settings: CrmSettings;
}

/** The section sinks.crm. A pipeline may have none, but then this service has nothing to do: throws ConfigError. */
export function crmSettings({ sinks: { crm } }: CrmConfig): NonNullable<CrmConfig['sinks']['crm']> {
  if (crm) return crm;
  throw new ConfigError([{ path: 'sinks.crm', message: ABSENT }]);
}

/** That of the section itself first, then the others as they are named. */
export function configuredCrms({ sinks: { crm } }: CrmConfig): readonly ConfiguredCrm[] {
  if (!crm) return [];
  const { adminPort: _adminPort, others, ...own } = crm;
  return [
    { name: undefined, path: 'sinks.crm', consumer: consumerOf(undefined), settings: own },
    ...Object.entries(others).map(([name, settings]) => {
      return { name, path: `sinks.crm.others.${name}`, consumer: consumerOf(name), settings };
    }),
  ];
}

/** Checks the settings that only the CRMs' adapters can judge. Throws ConfigError with every problem of all of them. */
export function checkCrmSettings(config: CrmConfig): readonly ConfigProblem[] {
  const [first, ...others] = configuredCrms(config);
  if (!first) return [];
  const problems = [first, ...others].flatMap(problemsOf);
  for (const { name, path } of others) {
    if (name === first.settings.kind)
      problems.push({ path, message: 'is the name of sinks.crm in metrics, from its kind: choose another' });
  }
  problems.push(...contradictions([first, ...others]));
  if (problems.length > 0) throw new ConfigError(problems);
  return [];
}

/**
 * What tells the account that a CRM counts calls of: two of the configuration that have the same share its limit. Says nothing about the
 * secrets.
 */
export function accountOf({ name, facts }: Crm, { url, secrets }: CrmSettings): string {
  const address = url?.replace(/\/+$/, '') ?? '';
  const known = facts.account === 'address' ? [] : secrets.map((secret) => secret.reveal()).sort();
  return createHash('sha256')
    .update(JSON.stringify([name, address, known]))
    .digest('base64url');
}

/** CRMs of one account share its limit, so there can be only one. */
function contradictions(all: readonly ConfiguredCrm[]): ConfigProblem[] {
  const seen = new Map<string, ConfiguredCrm>();
  return all.flatMap((one) => {
    const crm = findCrm(one.settings.kind);
    if (!crm) return [];
    const account = accountOf(crm, one.settings);
    const before = seen.get(account);
    if (!before) seen.set(account, one);
    if (!before || before.settings.callsPerSecond === one.settings.callsPerSecond) return [];
    const message = `must be that of ${before.path}: both call the same account, and share its limit`;
    return [{ path: `${one.path}.callsPerSecond`, message }];
  });
}

function problemsOf({ path, settings }: ConfiguredCrm): readonly ConfigProblem[] {
  const crm = findCrm(settings.kind);
  return crm ? crm.problems(settings, path) : [unknownKind(settings, path)];
}

/** The CRM that is configured. Throws ConfigError if there is none of this kind. */
export function crmOf(settings: CrmSettings, path = 'sinks.crm'): Crm {
  const crm = findCrm(settings.kind);
  if (crm) return crm;
  throw new ConfigError([unknownKind(settings, path)]);
}

function unknownKind({ kind }: CrmSettings, path: string): ConfigProblem {
  const known = crms.map(({ name }) => name).join(', ');
  return { path: `${path}.kind`, message: `no CRM is called ${kind}; there are: ${known}` };
}
