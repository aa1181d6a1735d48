import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  buildImage,
  buildOnce,
  type ImageContext,
  type ImageRole,
} from '@email-events/dev/containers/images/build';
import { provideImage } from '@email-events/dev/containers/images/choose';
import { provideServicesImage } from '@email-events/dev/containers/images/services';
import { base, IMAGE_LABEL, provideStandIn } from '@email-events/dev/containers/images/stand-ins';
import type { Engine } from '@email-events/dev/stack';
import { type PrometheusProgram, programPath } from '../harness/prometheus.ts';

const COMPONENTS = ['kafka', 'registry', 'clickhouse'] as const satisfies readonly ImageRole[];
/** Where the public image of each keeps its data. */
const MONITORS = {
  prometheus: { program: 'prometheus', folder: '/prometheus' },
  alertmanager: { program: 'prometheus-alertmanager', folder: '/alertmanager' },
} as const satisfies { readonly [name: string]: { program: PrometheusProgram; folder: string } };

export type ImageName = (typeof COMPONENTS)[number] | keyof typeof MONITORS | 'services';

/** The names by which the engine has what the file needs, but for Grafana. What lacks is pulled or built. */
export async function provideComposeImages(
  engine: Engine,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<ReadonlyMap<ImageName, string>> {
  const context: ImageContext = {
    ...{ engine, signal, env: process.env },
    onProgress: ({ component, step, state, detail }) =>
      state === 'done' && note(`  ${component}: ${step} ${detail ?? ''}`),
  };
  const images = new Map<ImageName, string>();
  for (const role of COMPONENTS) images.set(role, (await provideImage(role, context)).reference);
  images.set('services', await provideServicesImage(context, 'services'));
  for (const [name, { program, folder }] of Object.entries(MONITORS))
    images.set(name as ImageName, await provideMonitor(context, name, await programPath(program), folder));
  return images;
}

async function provideMonitor(context: ImageContext, name: string, program: string, folder: string) {
  const parent = await provideStandIn(context, base);
  const dockerfile = fileURLToPath(new URL('image/Dockerfile', import.meta.url));
  const digest = createHash('sha256').update(parent);
  for (const file of [dockerfile, program]) digest.update(readFileSync(file));
  const reference = `email-events/${name}:${digest.digest('hex').slice(0, 12)}`;
  return buildOnce(context, { name, reference }, async () => async () => {
    await buildImage(context, {
      reference,
      // Debian's programs read their templates from there.
      context: {
        Dockerfile: dockerfile,
        program,
        share: join(dirname(program), '..', 'share', 'prometheus'),
      },
      // Their pages, most of it: nobody looks.
      exclude: ['web', 'ui', 'no-ui'],
      buildArgs: { BASE: parent, FOLDER: folder },
      labels: { [IMAGE_LABEL]: name },
      network: 'none',
    });
  });
}
