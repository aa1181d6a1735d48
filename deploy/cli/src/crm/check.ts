import { codeOf, PipelineError } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { type ConfiguredCrm, type Crm, configuredCrms, plannedCalls } from '@email-events/sink-crm';
import pc from 'picocolors';
import { usage } from '../changes.ts';
import type { CommonOptions } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { note, print, printJson, renderTable } from '../output.ts';
import type { PipelineConfig } from '../services.ts';
import { keysOfAddresses } from '../suppressions/address.ts';
import { readStates, suppressionsOf } from '../suppressions/topic.ts';
import { visible } from '../terminal.ts';
import type { CheckOptions } from './options.ts';
import { openCrm } from './run.ts';

type Options = CheckOptions & Pick<CommonOptions, 'json'>;

const CHECK_MS = 60_000;

interface Checked {
  readonly consumer: string;
  readonly kind: string;
  /** Null: it works. */
  readonly code: string | null;
  readonly problem: string | null;
  /** What its credentials must be allowed. */
  readonly scopes: readonly string[];
}

/** Checks every CRM, or the one that is named, as the sink does before it writes. Throws CLI_USAGE, ConfigError. */
export async function checkAll(config: PipelineConfig, options: Options): Promise<ExitCode> {
  const names = options.crm === undefined ? configuredCrms(config).map(({ name }) => name) : [options.crm];
  if (names.length === 0) throw usage('no CRM is configured');
  const results = await Promise.all(names.map((name) => checkOne(config, name)));
  const failed = results.some(({ code }) => code !== null);
  if (options.json) printJson({ crms: results });
  else {
    const rows = results.map(({ consumer, kind, code, problem, scopes }) => [
      ...[consumer, kind, code ?? pc.green('works')],
      problem === null ? '' : scopes.length > 0 ? `${problem} (needs ${scopes.join(', ')})` : problem,
    ]);
    print(await renderTable(['consumer', 'kind', '', ''], rows));
  }
  return failed ? EXIT.failed : EXIT.ok;
}

const scopesOf = ({ facts, engagementScopes }: Crm, { settings }: ConfiguredCrm) =>
  (settings.engagement && engagementScopes) ?? facts.scopes ?? [];

/** Its fields and what they need, where it is configured. */
async function checkEngagement(definition: Crm, { settings }: ConfiguredCrm): Promise<void> {
  const engagement = definition.connectEngagement(settings, Date.now);
  try {
    await engagement?.check(AbortSignal.timeout(CHECK_MS));
  } finally {
    await engagement?.close();
  }
}

async function checkOne(config: PipelineConfig, name: string | undefined): Promise<Checked> {
  const { crm, definition, adapter } = openCrm(config, name === undefined ? {} : { crm: name });
  const of = { consumer: crm.consumer, kind: definition.name, scopes: scopesOf(definition, crm) };
  try {
    await adapter.check(AbortSignal.timeout(CHECK_MS));
    await checkEngagement(definition, crm);
    return { ...of, code: null, problem: null };
  } catch (error) {
    const problem = error instanceof PipelineError ? error.message : 'no answer in time';
    return { ...of, code: codeOf(error), problem };
  } finally {
    await adapter.close();
  }
}

/** Says which calls would bring the CRM to the states of the recipients. Throws CLI_USAGE, KAFKA_UNREACHABLE, CrmError. */
export async function planFor(
  config: PipelineConfig,
  options: Options,
  addresses: readonly string[],
): Promise<ExitCode> {
  const recipients = keysOfAddresses(addresses);
  const { crm, definition, adapter, pace } = openCrm(config, options);
  await adapter.close();
  const states = await readStates(suppressionsOf(config), { recipients: new Set(recipients) });
  const signal = AbortSignal.timeout(CHECK_MS * Math.max(1, recipients.length));
  const plans: { recipient: string; known: boolean; calls: readonly object[] }[] = [];
  for (const recipient of recipients) {
    const suppression = states.get(recipient);
    const calls = suppression
      ? await plannedCalls(definition, crm.settings, stateOf(suppression), { pace, signal })
      : [];
    plans.push({ recipient, known: suppression !== undefined, calls });
    if (options.json) continue;
    if (!suppression) note(pc.yellow(visible(`nothing is known of ${recipient}`)));
    else if (calls.length === 0) print(visible(`${recipient}: nothing is to be done`));
    for (const { method, url, body = '' } of calls) print(visible(`${method} ${url} ${body}`.trimEnd()));
  }
  if (options.json) printJson({ consumer: crm.consumer, recipients: plans });
  return EXIT.ok;
}

const stateOf = (suppression: Suppression) => ({
  suppression,
  recordedAt: suppression.revision || suppression.changed_at,
});
