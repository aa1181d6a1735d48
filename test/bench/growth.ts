import { parseArgs } from 'node:util';
import { writeResult } from '../src/result.ts';
import { type Instances, settled, startInstances } from './growth/instances.ts';
import { measureStep, type Step } from './growth/step.ts';
import { growthFigures, growthLines, type Row, shortly } from './growth/table.ts';
import { type BenchStack, onBenchStack } from './processors/bench-stack.ts';
import { BatchRequests } from './processors/requests.ts';
import { fillSeenIds } from './seen-ids.ts';

/** Divides by 1, 2 and 4 instances. */
const PARTITIONS = 8;
const FULL_STEP = 10_000_000;
/** Before the first step of each number of instances: compilers and caches get warm. */
const WARM_UP_AN_INSTANCE = 100_000;

/** What an event costs `normalize` and `events`: of few and of many, with few and with many ids known, by number of instances. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      /** Events. */
      steps: { type: 'string', default: '10000,100000,1000000' },
      /** One step more, of ten million events. */
      full: { type: 'boolean', default: false },
      instances: { type: 'string', default: '1,2,4' },
      /** In the dedupe window before the first step; several: one after the other, ascending. */
      ids: { type: 'string', default: '10000000' },
      /** Events of a request. */
      batch: { type: 'string', default: '100' },
      /** A step that cannot be done by then is not begun, and that is said. */
      minutes: { type: 'string', default: '30' },
    },
  });
  const batch = numbersOf('batch', values.batch)[0] ?? 1;
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error('--minutes is a number above 0');
  const steps = [...numbersOf('steps', values.steps), ...(values.full ? [FULL_STEP] : [])];
  const uneven = steps.find((events) => events % batch !== 0);
  if (uneven !== undefined)
    throw new Error(`a step of ${uneven} events is no number of requests of ${batch}`);
  const growth = new Growth({
    steps: steps.map((events) => ({ events, rounds: roundsOf(events) })),
    counts: numbersOf('instances', values.instances),
    deadline: performance.now() + minutes * 60_000,
    requests: new BatchRequests({ batch, duplicates: 0.05, far: 0.5 }),
  });
  const states = numbersOf('ids', values.ids, 0).toSorted((a, b) => a - b);
  try {
    await onBenchStack((stack) => growth.measure(stack, states), { partitions: PARTITIONS });
  } finally {
    process.stdout.write(`\n${[...growthLines(growth.rows), ...growth.leftOut].join('\n')}\n`);
    await writeResult('growth', { batch, partitions: PARTITIONS, ...growthFigures(growth.rows) });
  }
}

/** The shorter a step, the more of what it shows is chance. */
const roundsOf = (events: number) => (events < 100_000 ? 7 : events < 1_000_000 ? 3 : 1);

interface Plan {
  readonly steps: readonly Step[];
  readonly counts: readonly number[];
  readonly deadline: number;
  readonly requests: BatchRequests;
}

class Growth {
  readonly rows: Row[] = [];
  readonly leftOut: string[] = [];
  private readonly plan: Plan;
  /** The longest that an event took so far, to be written and to go through. */
  private msAnEvent = 0;

  constructor(plan: Plan) {
    this.plan = plan;
  }

  async measure(stack: BenchStack, states: readonly number[]): Promise<void> {
    let filled = 0;
    for (const ids of states) {
      await fillSeenIds(stack.config, { ids: ids - filled, partitions: PARTITIONS });
      filled = ids;
      for (const count of this.plan.counts) {
        if (performance.now() > this.plan.deadline) {
          this.leaveOut(`${count} instances with ${shortly(ids)} ids`);
          continue;
        }
        const instances = await startInstances(stack, count);
        try {
          await this.measureInstances(stack, instances, { ids, count });
        } finally {
          await instances.stop();
        }
      }
    }
  }

  private async measureInstances(
    stack: BenchStack,
    instances: Instances,
    { ids, count }: { ids: number; count: number },
  ): Promise<void> {
    const { steps, requests, deadline } = this.plan;
    const working = { stack, instances, requests, deadline };
    await settled(instances, { partitions: PARTITIONS, ids }, deadline);
    await this.timed(WARM_UP_AN_INSTANCE * count, () =>
      measureStep(working, { events: WARM_UP_AN_INSTANCE * count, rounds: 1 }),
    );
    for (const step of steps) {
      const events = step.events * step.rounds;
      const what = `${shortly(step.events)} events, ${count} instances, ${shortly(ids)} ids`;
      if (performance.now() + events * this.msAnEvent > deadline) {
        this.leaveOut(what);
        continue;
      }
      const row = {
        ...(await this.timed(events, () => measureStep(working, step))),
        ...{ ids, instances: count },
      };
      this.rows.push(row);
      process.stdout.write(`${growthLines(this.rows).at(-1)}\n`);
    }
  }

  private async timed<T>(events: number, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await work();
    this.msAnEvent = Math.max(this.msAnEvent, (performance.now() - started) / events);
    return result;
  }

  private leaveOut(what: string): void {
    this.leftOut.push(`not measured, for want of time (--minutes): ${what}`);
  }
}

function numbersOf(name: string, text: string, atLeast = 1): number[] {
  return text.split(',').map((word) => {
    const value = Number(word);
    if (!Number.isInteger(value) || value < atLeast)
      throw new Error(`--${name} is of whole numbers from ${atLeast} on`);
    return value;
  });
}
