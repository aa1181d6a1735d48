import { type ParseArgsConfig, parseArgs } from 'node:util';
import { crms } from '@email-events/sink-crm';

/** The options of the command line. */
export interface Command {
  /** States for each CRM. */
  readonly events: number;
  readonly kinds: readonly string[];
  /** CRMs that one sink writes to at a time. */
  readonly atOnce: number;
  /** Calls a second that each CRM takes. */
  readonly limit: number;
  /** How long a CRM that is down stays so. */
  readonly downMs: number;
  /** Undefined: any. */
  readonly seed: number | undefined;
  readonly keep: boolean;
}

const OPTIONS = {
  events: { type: 'string', default: '5000' },
  /** CRMs, with commas between; default: all. */
  only: { type: 'string' },
  'at-once': { type: 'string', default: '4' },
  limit: { type: 'string', default: '300' },
  /** Seconds. */
  down: { type: 'string', default: '12' },
  seed: { type: 'string' },
  /** Leave logs behind. */
  keep: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

/** Throws an Error that says what is wrong with the arguments. */
export function readCommand(args: readonly string[]): Command {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const number = (name: 'events' | 'at-once' | 'limit' | 'down' | 'seed', least: number): number => {
    const value = Number(values[name]);
    if (Number.isFinite(value) && value >= least) return value;
    throw new Error(`--${name} ${values[name]}: a number of at least ${least} is needed`);
  };
  const known = crms.map(({ name }) => name);
  const kinds = values.only?.split(',') ?? known;
  const unknown = kinds.filter((kind) => !known.includes(kind));
  if (unknown.length > 0) throw new Error(`--only ${values.only}: there are ${known.join(', ')}`);
  return {
    ...{ events: number('events', 24), kinds, atOnce: number('at-once', 1), limit: number('limit', 10) },
    ...{ downMs: number('down', 1) * 1_000, keep: values.keep },
    seed: values.seed === undefined ? undefined : number('seed', 0),
  };
}
