import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { adapters } from '@email-events/esps';

/** Prints a benchmark's figures and writes them to bench-results/<name>.json. */
export async function publishResult(
  name: string,
  figures: { readonly [figure: string]: number | string },
): Promise<void> {
  const width = Math.max(...Object.keys(figures).map((key) => key.length));
  for (const [key, value] of Object.entries(figures)) {
    process.stdout.write(`${key.padEnd(width)}  ${value}\n`);
  }
  await writeResult(name, figures);
}

/** For a benchmark that prints its figures in another form. With them goes how busy the machine was: what was measured on a busy one says little. */
export async function writeResult(
  name: string,
  figures: { readonly [figure: string]: number | string },
): Promise<void> {
  await mkdir('bench-results', { recursive: true });
  const machine = { cores: availableParallelism(), load_average: (loadavg()[0] ?? Number.NaN).toFixed(1) };
  const result = {
    ...{ benchmark: name, at: new Date().toISOString(), node: process.version, machine },
    ...figures,
  };
  await writeFile(`bench-results/${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
}

interface EspArguments {
  /** All of them unless some are named. */
  readonly esps: readonly string[];
  readonly rounds: number;
  /** A part of the ESPs is no result to compare later ones with. */
  readonly isPart: boolean;
}

/** `[ESP …] [--rounds N]`. Throws for anything else. */
export function espArguments(args: string[], defaultRounds: number): EspArguments {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { rounds: { type: 'string', default: String(defaultRounds) } },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number above 0');
  const names = adapters.map(({ name }) => name);
  const unknown = positionals.filter((esp) => !names.includes(esp));
  if (unknown.length > 0) throw new Error(`no adapter ${unknown.join(', ')}`);
  const isPart = positionals.length > 0;
  return { rounds, isPart, esps: isPart ? positionals : names };
}
