import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProvider, printProgress, selectProvider } from './index.ts';

/**
 * Runs the components alone until SIGINT or SIGTERM, for working on one service:
 * `node deploy/dev/src/stack/run.ts [DATA_DIR]`. Prints the addresses as shell variables that the services and
 * STACK=external read. Without a data directory it takes a fresh one and removes it at the end.
 */
const given = process.argv[2];
const dataDir = given ?? mkdtempSync(join(tmpdir(), 'email-events-stack-'));
const abort = new AbortController();
const asked = new Promise<void>((resolve) => {
  const stop = () => {
    abort.abort();
    resolve();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
});

try {
  const provider = createProvider(selectProvider(process.env), process.env);
  const stack = await provider.start({ dataDir, onProgress: printProgress, signal: abort.signal });
  process.stdout.write(
    [
      `export EMAIL_EVENTS_KAFKA_BROKERS=${stack.kafka.brokers.join(',')}`,
      `export EMAIL_EVENTS_REGISTRY_URL=${stack.registry.url}`,
      `export EMAIL_EVENTS_CLICKHOUSE_URL=${stack.clickhouse.url}`,
      `export EMAIL_EVENTS_SINKS_CLICKHOUSE_URL=${stack.clickhouse.url}`,
      `# data and logs: ${dataDir}; SIGINT or SIGTERM to ${process.pid} stops it\n`,
    ].join('\n'),
  );
  const keepAlive = setInterval(() => {}, 60_000);
  await asked;
  clearInterval(keepAlive);
  await stack.stop();
} finally {
  if (given === undefined) rmSync(dataDir, { recursive: true, force: true });
}
