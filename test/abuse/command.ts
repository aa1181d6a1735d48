import { type ParseArgsConfig, parseArgs } from 'node:util';
import { EVERY_ESP, SIMULATED_ESPS } from '@email-events/dev/simulate';

/** The options of the command line. */
export interface Command {
  readonly seconds: number;
  readonly rate: number;
  readonly honestRate: number;
  readonly honestEsps: readonly string[];
  readonly calmSeconds: number;
  readonly floodSeconds: number;
  /** `ingress.maxBytesPerSecond`; undefined: no limit. */
  readonly maxBytesPerSecond: number | undefined;
  /** Undefined: any. */
  readonly seed: number | undefined;
  readonly only: string | undefined;
  readonly keep: boolean;
}

const OPTIONS = {
  /** How long hostile accounts send. */
  seconds: { type: 'string', default: '60' },
  /** Hostile requests a second. */
  rate: { type: 'string', default: '50' },
  /** Honest requests a second. */
  honest: { type: 'string', default: '5' },
  /** Seconds without hostile accounts before. */
  calm: { type: 'string', default: '10' },
  /** Honest ESPs: five, or all. */
  'all-esps': { type: 'boolean', default: false },
  /** Seconds of unsigned requests afterwards; 0: none. */
  flood: { type: 'string', default: '10' },
  /** `ingress.maxBytesPerSecond`; without it there is no limit. */
  'max-bytes': { type: 'string' },
  seed: { type: 'string' },
  /** Only attacks whose names hold this. */
  only: { type: 'string' },
  /** Leave logs and data behind. */
  keep: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** Throws an Error that says what is wrong with the arguments. */
export function readCommand(args: readonly string[]): Command {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const number = (
    name: 'seconds' | 'rate' | 'honest' | 'calm' | 'flood' | 'max-bytes' | 'seed',
    least: number,
  ): number => {
    const value = Number(values[name]);
    if (Number.isFinite(value) && value >= least) return value;
    throw new Error(`--${name} ${values[name]}: a number of at least ${least} is needed`);
  };
  return {
    ...{ seconds: number('seconds', 1), rate: number('rate', 0.1), honestRate: number('honest', 0.1) },
    calmSeconds: number('calm', 1),
    ...{ floodSeconds: number('flood', 0), only: values.only, keep: values.keep },
    honestEsps: values['all-esps'] ? EVERY_ESP : SIMULATED_ESPS,
    maxBytesPerSecond: values['max-bytes'] === undefined ? undefined : number('max-bytes', 1),
    seed: values.seed === undefined ? undefined : number('seed', 0),
  };
}
