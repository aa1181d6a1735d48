import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate, planMigrations, readMigrations } from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { ProcessComponent } from '../../deploy/dev/src/stack/local/process-component.ts';
import { prepareClickhouse } from '../../deploy/dev/src/stack/local/specs.ts';
import { STACK_FILES } from '../../deploy/dev/src/stack/versions.ts';
import { watchProcesses } from '../../deploy/dev/src/stack/watchdog.ts';
import { freePort } from '../harness/ports.ts';

/** Nobody listens there: how a cluster is divided is known without asking its members. */
const REPLICA = '<replica><host>127.0.0.1</host><port>9</port></replica>';
const CLUSTERS = `<clickhouse><remote_servers>
  <divided><shard>${REPLICA}</shard><shard>${REPLICA}</shard></divided>
  <copied><shard>${REPLICA}${REPLICA}</shard></copied>
</remote_servers></clickhouse>`;

test('a cluster of several shards is refused with nothing changed; the replicas of one are taken', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shards-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(STACK_FILES, 'clickhouse'), folder, { recursive: true });
  writeFileSync(join(folder, 'config.d', 'clusters.xml'), CLUSTERS);
  const port = await freePort();
  const watchdog = watchProcesses();
  onTestFinished(() => watchdog.close());
  const spec = await prepareClickhouse({
    ...{ dataDir: join(folder, 'data'), logFile: join(folder, 'log'), port },
    config: join(folder, 'config.xml'),
  });
  const server = new ProcessComponent(spec, watchdog);
  onTestFinished(() => server.stop());
  await server.start();

  const address = { url: `http://127.0.0.1:${port}`, database: 'email', username: 'default' };
  const refused = {
    code: 'SINK_CLICKHOUSE_SHARDED',
    message: expect.stringContaining('the cluster divided has 2 shards'),
  };
  await expect(planMigrations({ ...address, cluster: 'divided' })).rejects.toMatchObject(refused);
  await expect(migrate({ ...address, cluster: 'divided' })).rejects.toMatchObject(refused);
  for (const cluster of ['copied', 'unknown']) {
    const { applied, pending } = await planMigrations({ ...address, cluster });
    expect([cluster, applied.length, pending.length]).toEqual([cluster, 0, readMigrations().length]);
  }
});
