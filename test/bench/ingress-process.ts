import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import type { Signer } from '@email-events/esps/accounts';
import { ingressService } from '@email-events/ingress/service';
import { topicCatalogue } from '@email-events/schemas';
import { stringify } from 'yaml';

/** A program that a benchmark measures: a process, and those that it has started. */
export interface Measured {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export interface IngressProcess extends Measured {
  readonly admin: number;
}

/** The path on which it takes what this signer signs. */
export const pathOf = ({ esp }: Pick<Signer, 'esp'>): string => `/webhooks/email-events/${esp}`;

const THIS_CHECKOUT = new URL('../..', import.meta.url).pathname;

export interface IngressSettings {
  /** Another state of the code. */
  readonly checkout?: string;
  readonly workers?: number;
}

/**
 * The service as it runs in production, in a process by itself, with its topics. BENCH_PROFILE=DIR writes a CPU profile there,
 * BENCH_NODE_FLAGS stands in for Node's flags.
 */
export async function startIngressProcess(
  signer: Signer,
  brokers: readonly string[],
  dir: string,
  { checkout = THIS_CHECKOUT, workers }: IngressSettings = {},
): Promise<IngressProcess> {
  const settings = {
    kafka: { brokers },
    ingress: {
      port: 0,
      adminPort: 0,
      spool: { dir: join(dir, 'spool') },
      // An earlier state may not know it.
      ...(workers === undefined ? {} : { workers }),
    },
    sources: { [signer.esp]: { esp: signer.esp, secrets: signer.settings.secrets } },
  };
  const { kafka, topics } = pipelineConfig.parse(settings);
  await applyTopics(kafka, topicCatalogue(topics));
  const file = join(await mkdtemp(join(dir, 'ingress-')), 'ingress.yaml');
  await writeFile(file, stringify(settings));
  const main = join(checkout, 'ingress/src/main.ts');
  const profile = process.env.BENCH_PROFILE;
  const flags = process.env.BENCH_NODE_FLAGS?.split(' ').filter(Boolean) ?? ingressService.nodeArgs ?? [];
  const args = [...flags, ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [])];
  // As the command line and the image run it: types are stripped once, not at each start. So it is started twice.
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: join(dir, 'compiled', createHash('sha1').update(checkout).digest('hex')),
  };
  if (!existsSync(env.NODE_COMPILE_CACHE)) await (await started([main, '--config', file], env)).stop();
  return started([...args, main, '--config', file], env);
}

function started(args: readonly string[], env: NodeJS.ProcessEnv): Promise<IngressProcess> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the ingress ended with ${code}`)));
    child.once('message', ({ ports }: { ports: { http: number; admin: number } }) =>
      resolve({ pid: child.pid ?? 0, port: ports.http, admin: ports.admin, stop: () => stopped(child) }),
    );
  });
}

/** Asks it to end, and waits until it has. */
export function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
