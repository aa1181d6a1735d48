import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { createProvider, printProgress, selectProvider } from '@email-events/dev/stack';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { type ClickHouse, connect, migrate } from '@email-events/sink-clickhouse';
import { stringify } from 'yaml';

/** Broker, registry and ClickHouse with what the sink needs, and a folder. */
export interface SinkStack {
  readonly config: PipelineConfig;
  /** Of `config`, for the sink. */
  readonly configFile: string;
  readonly dir: string;
  /** The tables once more, in another database. */
  database(name: string): Promise<ClickHouse>;
}

/** Starts it for the work, and leaves nothing behind. */
export async function onSinkStack(work: (stack: SinkStack) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const stack = await createProvider(selectProvider(process.env), process.env).start({
    dataDir: dir,
    onProgress: printProgress,
  });
  try {
    const settings = {
      kafka: { brokers: stack.kafka.brokers },
      registry: { url: stack.registry.url },
      sinks: { clickhouse: { url: stack.clickhouse.url, database: 'bench', adminPort: 0 } },
    };
    const config = pipelineConfig.parse(settings);
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas({ url: config.registry.url });
    await migrate(config.sinks.clickhouse);
    const configFile = join(dir, 'pipeline.yaml');
    await writeFile(configFile, stringify(settings));
    const database = async (name: string) => {
      const address = { ...config.sinks.clickhouse, database: name };
      await migrate(address);
      return connect(address);
    };
    await work({ config, configFile, dir, database });
  } finally {
    await stack.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
