import { type ParseArgsConfig, parseArgs } from 'node:util';
import { deckFor, pick } from './schedule.ts';
import type { Deck } from './targets.ts';

/** The options of the command line. */
export interface Command {
  readonly minutes: number;
  /** Undefined: any. */
  readonly seed: number | undefined;
  /** Events a second. */
  readonly rate: number;
  readonly everyMs: number;
  readonly instances: number;
  readonly brokers: number;
  readonly deck: Deck;
  readonly spool: boolean;
  readonly substitute: string | undefined;
  /** Checkout of the release that the run begins with. */
  readonly from: string | undefined;
  /** By broker from 0. Milliseconds. */
  readonly delays: ReadonlyMap<number, number>;
  readonly secured: boolean;
  readonly keep: boolean;
  /** The arguments that repeat the run, but for the seed. */
  readonly repeat: string;
}

const OPTIONS = {
  minutes: { type: 'string', default: '5' },
  seed: { type: 'string' },
  /** Events a second. */
  rate: { type: 'string', default: '850' },
  /** Mean seconds from one fault to the next. */
  every: { type: 'string', default: '4' },
  instances: { type: 'string', default: '2' },
  brokers: { type: 'string', default: '1' },
  /** Only one of each kind of kill, and few others. */
  short: { type: 'boolean', default: false },
  /** Only these faults, such as `kill kafka` or `pause`; `broker-restarts`, `none`. May be repeated. */
  only: { type: 'string', multiple: true },
  /** `off`: the ingress acknowledges nothing from its disk. */
  spool: { type: 'string', default: 'on' },
  /** A file that every service imports before its own. */
  substitute: { type: 'string' },
  /** Another release, by tag, commit or folder, or `previous`: every service is of that one first, and is upgraded while everything goes on. */
  from: { type: 'string' },
  /** `2=100`: each answer of the second broker comes 100 ms later, all the time. May be repeated. */
  'delay-broker': { type: 'string', multiple: true },
  /** TLS, credentials and rights everywhere. */
  secured: { type: 'boolean', default: false },
  /** Leave logs and data behind. */
  keep: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

type Name = 'minutes' | 'seed' | 'rate' | 'every' | 'instances' | 'brokers';

/** Throws an Error that says what is wrong with the arguments. */
export function readCommand(args: readonly string[]): Command {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const { only = [], 'delay-broker': delayed = [] } = values;
  const number = (name: Name): number => {
    const value = Number(values[name]);
    if (Number.isFinite(value) && value > 0) return value;
    throw new Error(`--${name} ${values[name]}: a number above 0 is needed`);
  };
  const brokers = number('brokers');
  if (brokers !== 1 && brokers !== 3) throw new Error(`--brokers ${brokers}: 1 or 3`);
  if (values.spool !== 'on' && values.spool !== 'off') throw new Error(`--spool ${values.spool}: on or off`);
  const deck = pick(deckFor(brokers, values.short), only);
  if (!deck) throw new Error(`--only ${only.join(', ')}: there is no such fault`);
  if (brokers === 1 && only.includes('broker-restarts'))
    throw new Error('--only broker-restarts needs --brokers 3');
  if (values.from !== undefined && values.substitute !== undefined)
    throw new Error('--from and --substitute: a module of this checkout is none of another release');
  const given = args.filter((arg, i) => !/^--seed(=|$)/.test(arg) && args[i - 1] !== '--seed');
  return {
    ...{ brokers, deck, minutes: number('minutes'), rate: number('rate'), everyMs: number('every') * 1_000 },
    ...{ instances: number('instances'), substitute: values.substitute, keep: values.keep },
    secured: values.secured,
    from: values.from,
    seed: values.seed === undefined ? undefined : number('seed'),
    spool: values.spool === 'on',
    delays: new Map(delayed.map((text) => delayIn(text, brokers))),
    repeat: given.map((arg) => (/\s/.test(arg) ? `"${arg}"` : arg)).join(' '),
  };
}

function delayIn(text: string, brokers: number): [number, number] {
  const [, broker, ms] = /^(\d+)=(\d+)$/.exec(text) ?? [];
  const index = Number(broker) - 1;
  if (ms === undefined || index < 0 || index >= brokers)
    throw new Error(`--delay-broker ${text}: BROKER=MILLISECONDS is needed, brokers count from 1`);
  return [index, Number(ms)];
}
