import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { createProvider, printProgress, selectProvider } from '@email-events/dev/stack';
import { registerSchemas, topicCatalogue } from '@email-events/schemas';
import { stringify } from 'yaml';

/** Broker and registry with the pipeline's topics and schemas, and a folder. */
export interface BenchStack {
  readonly config: PipelineConfig;
  /** Of `config`, for the services. */
  readonly configFile: string;
  readonly dir: string;
  /** The same configuration with another folder for the state, as one more instance on this machine needs it. */
  instanceFile(name: string): Promise<string>;
}

/** Starts it for the work, and leaves nothing behind. Without a number of partitions it has as many as are usual. */
export async function onBenchStack(
  work: (stack: BenchStack) => Promise<void>,
  { partitions }: { readonly partitions?: number } = {},
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const stack = await createProvider(selectProvider(process.env), process.env).start({
    dataDir: dir,
    onProgress: printProgress,
  });
  try {
    const settings = {
      kafka: { brokers: stack.kafka.brokers },
      registry: { url: stack.registry.url },
      ...(partitions === undefined ? {} : { topics: { partitions, rawPartitions: partitions } }),
      normalize: { adminPort: 0 },
      events: { adminPort: 0, stateDir: join(dir, 'state') },
    };
    const config = pipelineConfig.parse(settings);
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas({ url: config.registry.url });
    const configFile = join(dir, 'pipeline.yaml');
    await writeFile(configFile, stringify(settings));
    const instanceFile = async (name: string) => {
      const file = join(dir, `${name}.yaml`);
      const events = { ...settings.events, stateDir: join(dir, `state-${name}`) };
      await writeFile(file, stringify({ ...settings, events }));
      return file;
    };
    await work({ config, configFile, dir, instanceFile });
  } finally {
    await stack.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
