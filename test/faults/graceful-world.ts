import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics, readTopic } from '@email-events/core';
import type { StackAddresses } from '@email-events/dev/stack';
import { topicCatalogue } from '@email-events/schemas';
import { unique, uniqueDatabase } from '../harness/isolation.ts';
import type { TestScope } from '../harness/stack.ts';
import { GracefulProcess, type ServiceName } from './graceful-process.ts';

/** Components with topics applied, and processes of ours on them that are started and stopped one by one. */
export interface GracefulWorld {
  readonly config: PipelineConfig;
  readonly dir: string;
  /** Instances of other names have other disks; those of the same name take over each other's. */
  launch(service: ServiceName, name?: string, env?: { readonly [name: string]: string }): GracefulProcess;
}

/** The stack must be vacant: topics have their fixed names. */
export async function startGracefulWorld(
  scope: TestScope,
  stack: StackAddresses,
  settings: object,
): Promise<GracefulWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'email-events-graceful-'));
  scope.onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const whole = withComponents(settings, stack, dir);
  const configFile = join(dir, 'pipeline.yaml');
  await writeFile(configFile, JSON.stringify(whole));
  const config = pipelineConfig.parse(whole);
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  return {
    config,
    dir,
    launch: (service, name = service, env = {}) =>
      new GracefulProcess(
        {
          service,
          configFile,
          logFile: join(dir, `${name}.log`),
          env: { EMAIL_EVENTS_EVENTS_STATE_DIR: join(dir, 'state', name), ...env },
        },
        scope,
      ),
  };
}

function withComponents(settings: object, stack: StackAddresses, dir: string): object {
  const { ingress, kafka, sinks, ...rest } = settings as { [section: string]: object };
  const clickhouse = { ...stack.clickhouse, database: uniqueDatabase('graceful'), adminPort: 0 };
  return {
    ...rest,
    kafka: { ...stack.kafka, groupPrefix: unique('graceful'), ...kafka },
    registry: stack.registry,
    sinks: { clickhouse, ...sinks },
    ingress: { port: 0, adminPort: 0, spool: { dir: join(dir, 'spool') }, ...ingress },
  };
}

/** Values of a topic, one character a byte, with how often each is there. */
export async function valuesOf(config: PipelineConfig, topic: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await readTopic(config.kafka, {
    topics: [topic],
    from: 'beginning',
    onRecord({ value }) {
      const text = value?.toString('latin1') ?? '';
      found.set(text, (found.get(text) ?? 0) + 1);
    },
  });
  return found;
}
