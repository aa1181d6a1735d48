import { Command, InvalidArgumentError } from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { note, print, renderTable } from '@email-events/cli/output';
import { connectEngine, type Engine } from '../engine.ts';
import { imageInventory } from '../images/index.ts';
import { listBelongings, strayVolumes } from './ours.ts';

export function statusCommand(): Command {
  return new Command('status')
    .description('Images, containers, networks and volumes of ours')
    .option(
      '--left-since <seconds>',
      'only what was made since then (Unix time) and nobody uses; exit code 1 if there is any',
      parseTime,
    )
    .action(status);
}

async function status({ leftSince }: { leftSince?: Date }): Promise<void> {
  const engine = await connectEngine();
  if (leftSince) await showLeft(engine, leftSince);
  else await showAll(engine);
}

async function showAll(engine: Engine): Promise<void> {
  const [images, belongings] = await Promise.all([imageInventory(engine), listBelongings(engine)]);
  const rows = [
    ...images.map(({ reference, bytes, current }) => [
      'image',
      reference,
      '',
      current ? '' : 'old',
      `${Math.round(bytes / 1e6)} MB`,
    ]),
    ...belongings.map(({ kind, name, stack, use, detail }) => [kind, name, stack, use, detail]),
  ];
  if (rows.length === 0) print('the container engine has nothing of ours');
  else print(await renderTable(['', 'name', 'stack', 'use', ''], rows));
}

/**
 * For whoever has just run tests: nothing of theirs may be there now. What others run meanwhile is not looked at; what
 * others keep or leave cannot be told apart from what is ours.
 */
async function showLeft(engine: Engine, since: Date): Promise<void> {
  const left = (await listBelongings(engine))
    .filter(({ use, created }) => (use === 'left' || use === 'kept') && created >= since)
    .map(({ kind, name, stack, detail }) => `${kind} ${name} of stack ${stack}, ${detail}`);
  const volumes = await strayVolumes(engine, since);
  const lines = [...left, ...volumes.map((name) => `volume ${name}, which no container uses`)];
  for (const line of lines) note(`left behind: ${line}`);
  if (lines.length > 0) process.exitCode = EXIT.failed;
  else print('nothing is left behind');
}

function parseTime(text: string): Date {
  const seconds = Number(text);
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new InvalidArgumentError('must be seconds since 1970, as `date +%s` prints them.');
  return new Date(seconds * 1000);
}
