import { join } from 'node:path';
import {
  type Action,
  Command,
  examples,
  InvalidArgumentError,
  onRun,
  positive,
  whole,
} from '@email-events/cli/command';
import { EXIT } from '@email-events/cli/exit-codes';
import { homeFolder, pathsOf } from '@email-events/cli/home';
import { print, printJson } from '@email-events/cli/output';
import { readState } from '@email-events/cli/state-file';
import { PipelineError } from '@email-events/core/errors';
import { trust } from '../certificates.ts';
import {
  createProgressBar,
  EVERY_ESP,
  loadCredentials,
  renderSummary,
  runSimulation,
  type SenderCredentials,
} from '../simulate/index.ts';

const collect = (value: string, values: readonly string[] = []): string[] => [...values, value];

export function simulateCommand(): Command {
  const command = new Command('simulate')
    .description('Send realistic, correctly signed traffic of the simulated ESPs to the local ingress')
    .option('--events <n>', 'distinct events', whole, 5_000)
    .option('--rate <n>', 'events a second (default: as fast as it goes)', positive)
    .option('--seed <n>', 'the same seed makes the same traffic', whole)
    .option('--duplicates <share>', 'share of events that are sent again', share, 0.05)
    .option('--invalid <share>', 'share of requests that must be refused or dead-lettered', share, 0.01)
    .option('--esp <name>', 'only these ESPs (all of them can be named): with commas, or repeated', collect)
    .option('--concurrency <n>', 'requests at a time', whole)
    .option('--url <url>', 'base URL of the ingress (default: of the local pipeline)');
  onRun<SimulateOptions>(command, simulateAction);
  return examples(
    command,
    'simulate',
    'simulate --events 100000 --rate 500',
    'simulate --esp sendgrid --esp postmark --seed 7 --json',
  );
}

function share(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number >= 0 && number < 1)) {
    throw new InvalidArgumentError('a share from 0 to below 1 is needed');
  }
  return number;
}

export interface SimulateOptions {
  readonly url?: string;
  readonly events: number;
  readonly seed?: number;
  readonly rate?: number;
  readonly duplicates: number;
  readonly invalid: number;
  readonly esp?: readonly string[];
  readonly concurrency?: number;
}

export const simulateAction: Action<SimulateOptions> = async (options) => {
  const paths = pathsOf(homeFolder());
  const running = readState(paths);
  const baseUrl = options.url ?? running?.urls?.ingress;
  if (baseUrl === undefined) {
    throw new PipelineError('RUN_NOT_RUNNING', 'fatal', `no pipeline runs on ${paths.home}; or say --url`);
  }
  if (running?.certificate) trust({ certFile: running.certificate });
  const credentials = keysIn(join(paths.secrets, 'sources'), running !== null);
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  const bar = options.json ? undefined : createProgressBar(options.events);
  const result = await runSimulation({
    baseUrl,
    credentials,
    events: options.events,
    seed: options.seed,
    rate: options.rate,
    duplicates: options.duplicates,
    invalid: options.invalid,
    concurrency: options.concurrency,
    ...(options.esp ? { esps: espsOf(options.esp) } : {}),
    signal: abort.signal,
    onProgress: (progress) => bar?.update(progress),
  }).finally(() => bar?.stop());
  if (options.json) printJson(result);
  else print(await renderSummary(result));
  if (result.aborted) return EXIT.interrupted;
  return result.unexpected > 0 ? EXIT.failed : EXIT.ok;
};

/** Throws CLI_UNAVAILABLE: a pipeline makes them when it starts. */
function keysIn(folder: string, runs: boolean): SenderCredentials {
  try {
    return loadCredentials(folder).sender;
  } catch (cause) {
    const up = '`npx email-events up` makes them; the ingress that is sent to must have them as well';
    throw new PipelineError('CLI_UNAVAILABLE', 'reject', `${folder} has no keys of all simulated ESPs`, {
      cause,
      remedy: runs ? `\`npx email-events down\`, then ${up}` : up,
    });
  }
}

function espsOf(names: readonly string[]): string[] {
  return names
    .flatMap((list) => list.split(','))
    .map((name) => {
      const esp = EVERY_ESP.find((known) => known === name);
      if (esp) return esp;
      throw new PipelineError('CLI_USAGE', 'reject', `--esp ${name}: there are ${EVERY_ESP.join(', ')}`);
    });
}
