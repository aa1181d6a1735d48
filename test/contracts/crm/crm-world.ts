import { readdirSync } from 'node:fs';
import { inspect } from 'node:util';
import { pipelineConfig } from '@email-events/cli/services';
import { type Logger, Registry, type SinkBatch, type SinkVerdict } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import {
  type Crm,
  type CrmAdapter,
  type CrmSettings,
  type CrmSink,
  createCrmSink,
  crmOf,
  crms,
} from '@email-events/sink-crm';
import { type CrmHarness, type PlayedCrm, PlayedServer, recordOf } from '@email-events/sink-crm/testing';
import { onTestFinished } from 'vitest';

const ADAPTERS = new URL('../../../sinks/crm/src/adapters/', import.meta.url);

/** Names of adapters and of harnesses, as the folder has them. */
export function adapterFiles(): { readonly adapters: string[]; readonly harnesses: string[] } {
  const files = readdirSync(ADAPTERS);
  const named = (pattern: RegExp) => files.flatMap((file) => pattern.exec(file)?.[1] ?? []).sort();
  return {
    adapters: named(/^([a-z0-9-]+)\.ts$/).filter((name) => name !== 'index'),
    harnesses: named(/^([a-z0-9-]+)\.harness\.ts$/),
  };
}

/** Every CRM of the registry that has a harness. A separate test fails for a CRM without one. */
export async function playableCrms(): Promise<{ name: string; crm: Crm; harness: CrmHarness }[]> {
  const { harnesses } = adapterFiles();
  const playable = crms.filter(({ name }) => harnesses.includes(name));
  return Promise.all(
    playable.map(async (crm) => {
      const { href } = new URL(`${crm.name}.harness.ts`, ADAPTERS);
      const { harness } = (await import(href)) as { harness: CrmHarness };
      return { name: crm.name, crm, harness };
    }),
  );
}

export interface WorldOptions {
  readonly now?: () => number;
  readonly timeoutMs?: number;
  readonly dryRun?: boolean;
  /** Instead of those that the CRM knows. */
  readonly secrets?: readonly string[];
  /** The test's own, where several run at once. */
  readonly scope?: { onTestFinished(clean: () => Promise<void> | void): void };
}

export interface World {
  readonly played: PlayedCrm;
  readonly server: PlayedServer;
  readonly adapter: CrmAdapter;
  readonly sink: CrmSink;
  readonly settings: CrmSettings;
  /** Another process of the sink would have another adapter. */
  newAdapter(): CrmAdapter;
  /** Everything that was logged, and shown as thrown by `note`. */
  readonly lines: string[];
  note(error: unknown): void;
}

/** A played CRM, the adapter that is configured for it, and a sink around that. Gone when the test ends. */
export async function openWorld(
  { crm, harness }: { crm: Crm; harness: CrmHarness },
  options: WorldOptions = {},
) {
  const played = harness.play();
  const server = await PlayedServer.start(played);
  const { now = Date.now, timeoutMs = 10_000, dryRun = false, scope = { onTestFinished } } = options;
  scope.onTestFinished(() => server.close());
  const access = played.settings(server.base);
  const settings = settingsOf(crm.name, { ...access, secrets: options.secrets ?? access.secrets, timeoutMs });
  const newAdapter = () => {
    const adapter = crmOf(settings).connect(settings, now);
    scope.onTestFinished(() => adapter.close());
    return adapter;
  };
  const adapter = newAdapter();
  const lines: string[] = [];
  const note = (...all: unknown[]) => lines.push(inspect(all, { depth: 12, showHidden: true }));
  const log = { info: note, warn: note, error: note } as unknown as Logger;
  const sink = createCrmSink({ adapter, concurrency: 1, dryRun, log, metrics: new Registry(), now });
  const world: World = { played, server, adapter, sink, settings, newAdapter, lines, note };
  return world;
}

/** As the service gets it, through the whole configuration. */
export function settingsOf(kind: string, crm: object): CrmSettings {
  const { sinks } = pipelineConfig.parse({ sinks: { crm: { kind, ...crm } } });
  if (!sinks.crm) throw new Error('no CRM');
  return sinks.crm;
}

/** A recipient's state with these reasons, each `reason:scope`. Suppressed if one of them is for all mail. */
export function suppression(recipient: string, ...reasons: readonly string[]): Suppression {
  const event_id = `${recipient} ${reasons.join()}`;
  return {
    recipient,
    suppressed: reasons.some((reason) => reason.endsWith(':all')),
    reasons: reasons.map((text) => {
      const [reason = '', ...scope] = text.split(':');
      const from = { esp: 'postmark', source: 'postmark', account: null, event_id };
      return { reason, scope: scope.join(':'), since: 1_000, detail: '550 5.1.1 no such user', ...from };
    }) as Suppression['reasons'],
    changed_at: 1_000,
    event_id,
    revision: 0,
  };
}

export const batch = (...states: Suppression[]): SinkBatch<Suppression> => ({
  id: 'batch',
  records: states.map((state) => recordOf(state)),
});

/** As the runner does: the same batch again until there is nothing to retry. */
export async function writeUntilDone(sink: CrmSink, records: SinkBatch<Suppression>, between = () => {}) {
  const { signal } = new AbortController();
  let verdicts: readonly SinkVerdict[] = [];
  for (let attempt = 0; attempt < 20; attempt++) {
    verdicts = await sink.write(records, signal);
    if (verdicts.every(({ outcome }) => outcome !== 'retry')) return verdicts;
    between();
  }
  throw new Error(`still to be retried: ${JSON.stringify(verdicts)}`);
}
