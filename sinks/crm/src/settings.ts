import { ConfigError, type ConfigProblem, type PipelineConfig, type Secret } from '@email-events/core';

export type CrmSettings = NonNullable<PipelineConfig['sinks']['crm']>;

/** Those of the CRM. A pipeline may have none, but then nothing is there for this service to do: throws ConfigError. */
export function crmSettings({ sinks: { crm } }: PipelineConfig): CrmSettings {
  if (crm) return crm;
  throw new ConfigError([
    { path: 'sinks.crm', message: 'no CRM is configured, and this service is for one' },
  ]);
}

/** What configuration cannot say in its schema. Throws ConfigError with every problem. */
export function checkCrmSettings({ sinks: { crm } }: PipelineConfig): void {
  if (!crm) return;
  const problems = [...urlProblems(crm.url), ...secretProblems(crm.secrets)];
  if (problems.length > 0) throw new ConfigError(problems);
}

function urlProblems(text: string): ConfigProblem[] {
  const path = 'sinks.crm.url';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return [{ path, message: 'must be an https address' }];
  }
  const problems: ConfigProblem[] = [];
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    problems.push({ path, message: 'plain http is refused off loopback: use https' });
  }
  if (url.username || url.password) {
    problems.push({ path, message: 'must not hold credentials: it is logged' });
  }
  return problems;
}

const isLoopback = (host: string) =>
  host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);

function secretProblems(secrets: readonly Secret[]): ConfigProblem[] {
  const path = 'sinks.crm.secrets';
  if (secrets.length === 0) return [{ path, message: 'at least one signing secret is needed' }];
  return secrets.flatMap((secret, index) => {
    const usable = isSigningSecret(secret.reveal());
    return usable
      ? []
      : [{ path: `${path}.${index}`, message: 'must be whsec_ and 24 to 64 bytes in base64' }];
  });
}

/** Standard Webhooks' own form and bounds of a symmetric secret. */
function isSigningSecret(text: string): boolean {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return false;
  const { length } = Buffer.from(encoded, 'base64');
  return length >= 24 && length <= 64;
}
