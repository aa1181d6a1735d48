import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clickhouseAnswers } from '../probes.ts';
import { STACK_FILES } from '../versions.ts';
import type { ProcessSpec } from './managed-process.ts';

export interface ClickhouseOptions {
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
}

export async function prepareClickhouse(options: ClickhouseOptions): Promise<ProcessSpec> {
  const { dataDir, logFile, port } = options;
  await mkdir(dataDir, { recursive: true });
  return {
    name: 'clickhouse',
    file: process.execPath,
    args: () => [
      fileURLToPath(new URL('./clickhouse-server.ts', import.meta.url)),
      ...['--path', dataDir, '--config', join(STACK_FILES, 'clickhouse', 'config.xml')],
      ...['--listen', 'HTTP', '--', '--listen_host=127.0.0.1', `--http_port=${port}`],
    ],
    cwd: dataDir,
    // The services' own options (a larger young generation, a debugger's port) are not meant for this process.
    env: { ...process.env, NODE_OPTIONS: '' },
    logFile,
    answers: () => clickhouseAnswers({ url: `http://127.0.0.1:${port}` }),
    startDeadlineMs: 60_000,
    stopDeadlineMs: 15_000,
  };
}
