import { connectEngine } from '@email-events/dev/stack';
import { Deployment } from './deployment.ts';
import { provideComposeImages } from './images.ts';
import { measure } from './measure.ts';
import { PROOFS } from './proofs.ts';
import { createSenders } from './senders.ts';
import { composeTool } from './tool.ts';

/**
 * `npm run test:compose [-- --measure]`: brings up deploy/compose as its README says, on images of this machine where the public ones cannot be
 * had, sends webhooks, stops a component, and looks at what comes out. Exits 0 only if all of it held, and leaves nothing behind.
 */
const USAGE =
  'npm run test:compose [-- --measure]: memory at rest and under load as well, in place of stopping components\n';
const args = process.argv.slice(2);
if (args.some((arg) => arg !== '--measure')) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const begin = performance.now();
const note = (line: string) => process.stdout.write(`${line}\n`);
const seconds = (since: number) => `${((performance.now() - since) / 1_000).toFixed(1)} s`;
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort(new Error(signal)));

const engine = await connectEngine();
const [tool, images] = [await composeTool(note), await provideComposeImages(engine, note, abort.signal)];
const senders = await createSenders();
const deployment = new Deployment({
  ...{ engine: engine.address, tool, images, sources: senders.sources, signal: abort.signal },
});
let failed = 0;

async function step(what: string, work: () => Promise<unknown>): Promise<void> {
  const since = performance.now();
  try {
    abort.signal.throwIfAborted();
    await work();
    note(`ok      ${what} (${seconds(since)})`);
  } catch (error) {
    failed++;
    const { message, cause } = error as Error;
    note(
      `FAILED  ${what} (${seconds(since)})\n        ${message}${cause instanceof Error ? `\n        ${cause.message}` : ''}`,
    );
  }
}

try {
  await step('the file is valid with Grafana too, whose image cannot be had everywhere', () =>
    deployment.prepare().then(() => deployment.must('--profile', 'public-images', 'config', '--quiet')),
  );
  await step('everything but Grafana starts in its order, and is healthy', () =>
    deployment.must('up', '--detach', '--wait', '--wait-timeout', '240'),
  );
  senders.connect(deployment);
  if (failed === 0 && args.length > 0)
    await step('measured', async () => note(await measure(deployment, senders, engine)));
  else if (failed === 0)
    for (const { what, prove } of PROOFS) await step(what, () => prove({ deployment, senders, engine }));
  if (failed > 0) note((await deployment.compose('logs', '--no-color', '--tail', '40')).out);
} finally {
  await senders.close();
  await step('it is taken down, with its data', () => takeDown());
}
note(failed === 0 ? `all held (${seconds(begin)})` : `${failed} failed (${seconds(begin)})`);
process.exit(failed === 0 ? 0 : 1);

async function takeDown(): Promise<void> {
  await deployment.remove();
  const filters = { label: [`com.docker.compose.project=${deployment.project}`] };
  const containers = await engine.docker.listContainers({ all: true, filters });
  const networks = await engine.docker.listNetworks({ filters });
  const { Volumes: volumes } = await engine.docker.listVolumes({ filters });
  if (containers.length + networks.length + (volumes ?? []).length > 0)
    throw new Error('containers, networks or volumes of it are left');
}
