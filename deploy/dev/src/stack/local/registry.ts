import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { registryAnswers } from '../probes.ts';
import { REGISTRY_API, registrySettings } from '../registry-settings.ts';
import type { ClassArchive } from './class-archive.ts';
import type { ProcessSpec } from './managed-process.ts';

export interface RegistryOptions {
  readonly java: string;
  readonly archive: ClassArchive;
  /** Folder of quarkus-run.jar. */
  readonly app: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
  readonly managementPort: number;
}

/** Base URL of the Confluent-compatible API. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}${REGISTRY_API}`;
}

export async function prepareRegistry(options: RegistryOptions): Promise<ProcessSpec> {
  const { java, app, archive, dataDir, logFile, port, managementPort } = options;
  await mkdir(dataDir, { recursive: true });
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    // Without these it opens a second port on all interfaces.
    'quarkus.management.host': '127.0.0.1',
    'quarkus.management.port': managementPort,
    ...registrySettings(join(dataDir, 'registry')),
  };
  return {
    name: 'registry',
    file: java,
    args: () => [
      ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      ...archive.jvmOptions(),
      ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
      ...['-jar', join(app, 'quarkus-run.jar')],
    ],
    cwd: dataDir,
    logFile,
    answers: () => registryAnswers({ url: registryUrl(port) }),
    startDeadlineMs: 90_000,
    // A first stop also writes the class archive.
    stopDeadlineMs: 20_000,
    ended: archive.ended,
  };
}
