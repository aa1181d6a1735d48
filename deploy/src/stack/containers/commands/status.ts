import { Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../../../cli/exit-codes.ts';
import { note, print, renderTable } from '../../../cli/output.ts';
import { connectEngine } from '../engine.ts';
import { listBelongings, listImages, strayVolumes } from './ours.ts';

interface StatusOptions {
  readonly expectNone: boolean;
  readonly since?: Date;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('Images, containers, networks and volumes of ours')
    .option('--expect-none', 'only look whether anything but images is left; exit code 1 if so', false)
    .option(
      '--since <seconds>',
      'with --expect-none: also volumes without a container made since then (Unix time)',
      parseTime,
    )
    .action(status);
}

async function status({ expectNone, since }: StatusOptions): Promise<void> {
  const engine = await connectEngine();
  const belongings = await listBelongings(engine);
  if (expectNone) {
    const left = belongings.map(
      ({ kind, name, stack, detail }) => `${kind} ${name} of stack ${stack}, ${detail}`,
    );
    const volumes = since ? await strayVolumes(engine, since) : [];
    for (const line of [...left, ...volumes.map((name) => `volume ${name} without a container`)])
      note(`left behind: ${line}`);
    if (left.length + volumes.length > 0) process.exitCode = EXIT.failed;
    else print('nothing is left behind');
    return;
  }
  const images = await listImages(engine);
  const rows = [
    ...images.map(({ reference, bytes }) => ['image', reference, '', `${Math.round(bytes / 1e6)} MB`]),
    ...belongings.map(({ kind, name, stack, detail }) => [kind, name, stack, detail]),
  ];
  if (rows.length === 0) print('the container engine has nothing of ours');
  else print(await renderTable(['', 'name', 'stack', ''], rows));
}

function parseTime(text: string): Date {
  const seconds = Number(text);
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new InvalidArgumentError('must be seconds since 1970, as `date +%s` prints them.');
  return new Date(seconds * 1000);
}
