import { setTimeout as delay } from 'node:timers/promises';
import { spanOf } from './concerns.ts';
import { Inflictor } from './inflict.ts';
import type { PositionWatch } from './positions.ts';
import type { Survived, Upgraded } from './report.ts';
import { CatchUp, REST_MS } from './rest.ts';
import { afterQuiet, type Fault } from './schedule.ts';
import type { Brokers } from './several-brokers.ts';
import type { Span } from './stand-still.ts';
import { isUpgrade } from './targets.ts';
import { SESSION_TIMEOUT_MS, type World } from './world.ts';

export interface Inflicting {
  readonly world: World;
  readonly brokers: Brokers | undefined;
  readonly watch: PositionWatch;
  /** Consumer group of each service. */
  readonly groupOf: ReadonlyMap<string, string>;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
  /** True: faults of brokers that are late are left out. */
  readonly isOver: () => boolean;
  /** Share of the events that were acknowledged so far. */
  readonly progress: () => number;
}

/** The faults that were done, and what they excuse. */
export interface Harm {
  readonly survived: Survived[];
  readonly spans: Span[];
  readonly upgraded: Upgraded[];
  /** Faults whose target did not come back, and such like. */
  readonly failures: string[];
  /** Faults for which there was no time left. */
  leftOut: number;
}

/** Each fault at its time; all that were begun are undone when `done` resolves. */
export class Inflictions {
  readonly harm: Harm = { survived: [], spans: [], upgraded: [], failures: [], leftOut: 0 };
  readonly #options: Inflicting;
  readonly #inflictor: Inflictor;
  readonly #catchUp: CatchUp;
  readonly #caughtUp: Promise<void>[] = [];
  readonly #begin = performance.now();

  constructor(options: Inflicting) {
    const { world, brokers, watch, groupOf } = options;
    this.#options = options;
    this.#inflictor = new Inflictor(world, brokers, () => this.#mayBegin());
    this.#catchUp = new CatchUp(watch, groupOf);
  }

  /** Resolves when all are undone. */
  async inflict(faults: readonly Fault[]): Promise<void> {
    const done: Promise<void>[] = [];
    for (const fault of faults) {
      const wait = Math.max(0, this.#begin + fault.atMs - performance.now());
      await delay(wait, undefined, { signal: this.#options.signal });
      const one = this.#one(fault);
      done.push(one.catch((error) => void this.harm.failures.push(`${describe(fault)}: ${error}`)));
    }
    await Promise.all(done);
  }

  /** Waits for groups to catch up, REST_MS at most. One that never does keeps the world from coming to rest, which is told then. */
  async caughtUp(): Promise<void> {
    await Promise.race([Promise.all(this.#caughtUp), delay(REST_MS, undefined, { ref: false })]);
  }

  async #one(fault: Fault): Promise<void> {
    const { groupOf, note, progress } = this.#options;
    const { survived, spans, upgraded } = this.harm;
    let mark = this.#catchUp.mark();
    let [harmedWhom, progressThen] = ['', 0];
    const harmed = (whom = '') => {
      [harmedWhom, progressThen] = [whom, progress()];
      mark = this.#catchUp.mark();
      note(`  ${this.#clock()}: ${describe(fault)} ${whom}`);
    };
    const inflicted = await this.#inflictor.inflict(fault, harmed);
    const { harmedAt, wellAt, done } = inflicted;
    if (!done) {
      this.harm.leftOut++;
      return;
    }
    note(`  ${this.#clock()}: #${fault.index} is over after ${((wellAt - harmedAt) / 1_000).toFixed(1)} s`);
    if (isUpgrade(fault.kind)) {
      upgraded.push({
        ...{ instance: harmedWhom, killed: fault.kind === 'kill-upgrade', progress: progressThen },
        ...{ fromMs: harmedAt - this.#begin, untilMs: wellAt - this.#begin },
      });
    }
    spans.push(spanOf(inflicted, groupOf, SESSION_TIMEOUT_MS));
    const passing = this.#catchUp.passed(fault.target, mark, wellAt).then((passedAt) => {
      const caughtUpMs = passedAt === undefined ? undefined : passedAt - harmedAt;
      survived.push({ kind: fault.kind, target: fault.target, backMs: wellAt - harmedAt, caughtUpMs });
    });
    this.#caughtUp.push(passing);
  }

  async #mayBegin(): Promise<boolean> {
    const { signal, isOver } = this.#options;
    const now = performance.now() - this.#begin;
    const quietUntil = performance.now() + afterQuiet(now) - now;
    while (!isOver() && performance.now() < quietUntil) await delay(200, undefined, { signal });
    return !isOver();
  }

  #clock(): string {
    return `${((performance.now() - this.#begin) / 1_000).toFixed(1)} s`;
  }
}

function describe({ index, kind, target, instance, lastsMs, delayMs }: Fault): string {
  const how = kind === 'slow' ? ` by ${delayMs} ms` : '';
  const long = lastsMs > 0 ? ` for ${(lastsMs / 1_000).toFixed(1)} s` : '';
  return `#${index} ${kind} ${target} (${instance})${how}${long}`;
}
