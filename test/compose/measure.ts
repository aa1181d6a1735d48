import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '@email-events/dev/stack';
import { markdownTable } from '@email-events/schemas/tools';
import type { Deployment } from './deployment.ts';
import type { Senders } from './senders.ts';

const REST_MS = 30_000;
const LOAD_MS = 60_000;
const SAMPLE_MS = 1_000;
const AT_ONCE = 16;
/** Events of a request. */
const BATCH = 20;

interface Figures {
  readonly image: number;
  rest: number;
  load: number;
}

/** Of each container the size of its image, and the most memory that it held, without the pages of files that it has read: at rest, and under load. Markdown. */
export async function measure(deployment: Deployment, senders: Senders, engine: Engine): Promise<string> {
  const label = `com.docker.compose.project=${deployment.project}`;
  const containers = await engine.docker.listContainers({ filters: { label: [label] } });
  const figures = new Map<string, Figures>();
  for (const { Id, Labels } of containers) {
    const { Image } = await engine.docker.getContainer(Id).inspect();
    const { Size } = await engine.docker.getImage(Image).inspect();
    figures.set(Labels['com.docker.compose.service'] ?? '', { image: Size, rest: 0, load: 0 });
  }
  const sample = async (when: 'rest' | 'load', ms: number) => {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      await Promise.all(
        containers.map(async ({ Id, Labels }) => {
          const stats = await engine.docker.getContainer(Id).stats({ stream: false, 'one-shot': true });
          const of = figures.get(Labels['com.docker.compose.service'] ?? '');
          const { usage = 0, stats: parts } = stats.memory_stats;
          // By the version of cgroups.
          const { inactive_file: v2, total_inactive_file: v1 } = parts as { readonly [name: string]: number };
          const used = usage - (v1 ?? v2 ?? 0);
          if (of) of[when] = Math.max(of[when], used);
        }),
      );
      await delay(SAMPLE_MS);
    }
  };
  await sample('rest', REST_MS);
  let sent = 0;
  const until = performance.now() + LOAD_MS;
  const send = async () => {
    while (performance.now() < until) {
      const status = await senders.deliver(
        Array.from({ length: BATCH }, (_, i) => `load-${sent}-${i}@example.com`),
      );
      if (status !== 200) throw new Error(`under load it answered ${status}`);
      sent++;
    }
  };
  await Promise.all([sample('load', LOAD_MS), ...Array.from({ length: AT_ONCE }, send)]);
  const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const rows = [...figures]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, { image, rest, load }]) => [...[name, mb(image), mb(rest), mb(load)]]);
  const rate = Math.round((sent * BATCH * 1_000) / LOAD_MS);
  return `${markdownTable([['service', 'image', 'memory at rest', 'under load'], ...rows])}\n${rate} events a second in ${Math.round((sent * 1_000) / LOAD_MS)} requests`;
}
