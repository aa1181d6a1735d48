import { parseArgs } from 'node:util';
import { adapters } from '@email-events/esps';

export interface EspArguments {
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
