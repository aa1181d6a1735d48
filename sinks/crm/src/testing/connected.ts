import { Secret } from '@email-events/core';
import type { CallPace } from '../capabilities.ts';
import { crmSection } from '../config.ts';
import type { Crm, CrmAdapter } from '../crm.ts';
import { type PlayedCrm, PlayedServer } from './harness.ts';

export interface Connected {
  readonly server: PlayedServer;
  readonly adapter: CrmAdapter;
  close(): Promise<void>;
}

/** A CRM's adapter over the CRM that its harness plays, for the unit test of what is peculiar to it. `other` replaces settings. */
export async function connected(
  crm: Crm,
  played: PlayedCrm,
  other: { secrets?: readonly string[]; options?: object; now?: () => number; pace?: CallPace } = {},
): Promise<Connected> {
  const server = await PlayedServer.start(played);
  const { now = Date.now, pace, ...replaced } = other;
  const access = { ...played.settings(server.base), ...replaced };
  const settings = crmSection.parse({ kind: crm.name, ...access });
  if (!settings) throw new Error('no settings');
  // As the configuration makes them.
  const secrets = access.secrets.map((secret) => new Secret(secret));
  const adapter = crm.connect({ ...settings, secrets }, now, pace);
  const close = async () => {
    await adapter.close();
    await server.close();
  };
  return { server, adapter, close };
}
