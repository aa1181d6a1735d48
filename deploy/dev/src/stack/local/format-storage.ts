import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StackError } from '../errors.ts';
import { runTool } from './run-tool.ts';

/** Where a broker keeps its data. */
export interface Storage {
  readonly nodeId: number;
  readonly logDir: string;
  /** Its server.properties. */
  readonly settings: string;
}

export interface FormatTool {
  readonly java: string;
  readonly options: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Says which node's it is, and that the folder is formatted. */
const IDENTITY = 'meta.properties';
/** What every new log of the cluster's metadata begins with. */
const BEGINNING = 'bootstrap.checkpoint';

/**
 * Formats what is new. Kafka's tool takes a Java start for each broker, though all that differs is who is who; so it
 * makes one, and the others are made after it.
 */
export async function formatStorage(
  storages: readonly Storage[],
  clusterId: string,
  tool: FormatTool,
): Promise<void> {
  const [first, ...others] = storages.filter(({ logDir }) => !existsSync(join(logDir, IDENTITY)));
  if (!first) return;
  await formatByTool(first, clusterId, tool);
  await Promise.all(others.map((storage) => formatAfter(first, storage)));
}

async function formatByTool({ settings }: Storage, clusterId: string, tool: FormatTool): Promise<void> {
  const args = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', settings];
  const { code, output } = await runTool(tool.java, [...tool.options, ...args], {
    cwd: dirname(settings),
    signal: tool.signal,
  });
  if (code !== 0)
    throw new StackError('STACK_INSTALL_FAILED', `Kafka's storage cannot be formatted:\n${output}`);
}

async function formatAfter(model: Storage, { nodeId, logDir }: Storage): Promise<void> {
  const identity = await readFile(join(model.logDir, IDENTITY), 'utf8');
  await mkdir(logDir, { recursive: true });
  await copyFile(join(model.logDir, BEGINNING), join(logDir, BEGINNING));
  const own = identity
    .replace(/^node\.id=.*$/m, `node.id=${nodeId}`)
    .replace(/^directory\.id=.*$/m, `directory.id=${directoryId()}`);
  // Last, since with it the folder counts as formatted.
  await writeFile(join(logDir, IDENTITY), own);
}

/** A UUID in Kafka's spelling, which must not begin with a minus sign. */
function directoryId(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('base64url');
}
