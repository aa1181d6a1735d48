import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { readBaseConfig } from '@email-events/dev/run/local-config';
import { type RunningPipeline, startPipeline } from '@email-events/dev/run/pipeline';
import { createReporter } from '@email-events/dev/run/reporter';
import { createProvider, selectBreakable } from '@email-events/dev/stack';
import { forgetAddresses, unique, uniqueDatabase } from '../harness/isolation.ts';
import { Account } from './account.ts';
import { GuardedCrm } from './crm.ts';
import { ALL_ESPS } from './story.ts';

/** The whole pipeline as `npm start` runs it, with webhooks of honest and of hostile accounts. */
export interface AbuseWorld {
  readonly pipeline: RunningPipeline;
  readonly hostile: Account;
  readonly leaked: Account;
  readonly shops: readonly Account[];
  readonly crm: GuardedCrm;
  /** Base URL of what stands behind it. */
  readonly receiver: string;
  stop(): Promise<void>;
}

export interface WorldOptions {
  /** Everything that it keeps is in there. */
  readonly home: string;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
  /** `ingress.maxBytesPerSecond`; undefined: no limit. */
  readonly maxBytesPerSecond: number | undefined;
}

export async function startWorld({
  home,
  note,
  signal,
  maxBytesPerSecond,
}: WorldOptions): Promise<AbuseWorld> {
  const [hostile, leaked, ...shops] = await Promise.all([
    Account.create('hostile', { suppresses: 'own-streams' }),
    Account.create('leaked', { suppresses: 'all' }),
    Account.create('shop-a', { suppresses: 'all' }),
    Account.create('shop-b', { suppresses: 'all' }),
  ]);
  const crm = await GuardedCrm.start();
  let pipeline: RunningPipeline | undefined;
  let receiver: string;
  try {
    const sources = {
      // Those of the simulator's ESPs; each is a separate account.
      ...Object.fromEntries(ALL_ESPS.map((esp) => [esp, { account: esp }])),
      ...hostile.sourcesOf(ALL_ESPS),
      ...leaked.sourcesOf(ALL_ESPS),
      ...Object.fromEntries(shops.flatMap((shop) => Object.entries(shop.sourcesOf(['standard-webhooks'])))),
    };
    // Attacks are not for an operator's cluster, nor are its addresses for these services.
    forgetAddresses();
    pipeline = await startPipeline({
      provider: createProvider(selectBreakable(process.env), process.env),
      ...{ home, anyPorts: true, signal, reporter: createReporter(note) },
      baseConfig: await writeBase(home, sources, crm.url, maxBytesPerSecond),
    });
    receiver = pipeline.urls.receiver ?? '';
    crm.standBefore(receiver);
  } catch (error) {
    await crm.close();
    throw error;
  }
  const running = pipeline;
  const stop = () => running.stop().finally(() => crm.close());
  return { pipeline, hostile, leaked, shops, crm, receiver, stop };
}

/** Fresh names: on a stack that others use, groups and tables of an earlier run would count for this one. */
async function writeBase(
  home: string,
  sources: object,
  crmUrl: string,
  maxBytesPerSecond: number | undefined,
): Promise<string> {
  const base = readBaseConfig(join(REPOSITORY, 'deploy/config/local.yaml'));
  const file = join(home, 'base.json');
  await mkdir(home, { recursive: true });
  const own = {
    ingress: { ...(base.ingress as object | undefined), maxBytesPerSecond },
    kafka: { groupPrefix: unique('abuse') },
    sinks: { lookup: {}, clickhouse: { database: uniqueDatabase('abuse') }, crm: { url: crmUrl } },
    alerts: {},
  };
  await writeFile(file, JSON.stringify({ ...base, ...own, sources }), { mode: 0o600 });
  return file;
}
