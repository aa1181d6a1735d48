import { Command } from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { print } from '@email-events/cli/output';
import { StackError } from '../../errors.ts';
import { printProgress } from '../../progress.ts';
import { connectEngine, type Engine } from '../engine.ts';
import { type Labels, STACK_LABEL } from '../labels.ts';
import { useOf } from '../ownership.ts';
import { sweep } from '../remove.ts';
import { ENGINE_FOLDER, ownDaemon, startEngine, stopEngine } from '../set-up/engine-control.ts';

const OUTCOME = {
  none: 'this checkout has started no container engine: nothing was stopped',
  gone: 'the container engine had ended already',
  stopped: 'the container engine is stopped; its images are kept',
  killed: 'the container engine did not end in time and was killed; its images are kept',
} as const;

export function engineCommand(signal: AbortSignal): Command {
  const engine = new Command('engine').description('Start, stop and show the container engine');
  engine
    .command('start')
    .description('Start an engine if none answers; as root on Debian and Ubuntu, installs it')
    .action(() => start(signal));
  engine
    .command('stop')
    .description('Stop the engine that was started here, and no other')
    .option('--force', 'also while containers run', false)
    .action(stop);
  engine.command('status').description('Whether an engine answers, and whose it is').action(status);
  return engine;
}

async function start(signal: AbortSignal): Promise<void> {
  const { engine, started } = await startEngine({ onProgress: printProgress, signal });
  print(`${started ? 'started' : 'already running, nothing was changed'}: ${await describe(engine)}`);
}

async function stop({ force }: { force: boolean }): Promise<void> {
  if (ownDaemon() && !force) await refuseWhileInUse();
  print(OUTCOME[await stopEngine({ onProgress: printProgress })]);
}

async function status(): Promise<void> {
  try {
    print(`running: ${await describe(await connectEngine())}`);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    print(`not running: ${error.message}`);
    process.exitCode = EXIT.notRunning;
  }
}

async function describe({ docker }: Engine): Promise<string> {
  const [{ Version }, { Driver, Name }] = await Promise.all([docker.version(), docker.info()]);
  const own = ownDaemon();
  const whose = own
    ? `started by this checkout (process ${own.dockerd.pid}, log in ${ENGINE_FOLDER})`
    : 'not started by this checkout';
  return `Docker ${Version} on ${Name}, storage ${Driver}, ${whose}`;
}

/**
 * Another checkout may be at its tests: an engine is everybody's on the machine. What nobody runs is no reason; what
 * was kept for reuse could not be used again after the stop.
 */
async function refuseWhileInUse(): Promise<void> {
  const engine = await connectEngine();
  const running = (await engine.docker.listContainers()).filter(({ Labels }) => !isOrphaned(Labels));
  if (running.length === 0) return void (await sweep(engine, { kept: true }));
  const names = running.map(({ Names, Id }) => Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12));
  throw new StackError(
    'STACK_IN_USE',
    `the container engine runs ${names.join(', ')}: stop ${names.length === 1 ? 'it' : 'them'} first, or add --force`,
  );
}

function isOrphaned(labels: Labels): boolean {
  const use = labels[STACK_LABEL] === undefined ? undefined : useOf(labels);
  return use === 'left' || use === 'kept';
}
