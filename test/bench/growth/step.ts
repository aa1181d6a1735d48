import { topics } from '@email-events/schemas';
import { median } from '../peers/rounds.ts';
import type { BenchStack } from '../processors/bench-stack.ts';
import { HeldInput } from '../processors/held-input.ts';
import type { ServiceProcess } from '../processors/ours.ts';
import type { BatchRequests } from '../processors/requests.ts';
import { runRound } from '../processors/side.ts';
import type { Instances } from './instances.ts';
import type { MemoryOfBoth, Row, ServiceMemory } from './table.ts';

export interface Step {
  readonly events: number;
  /** How often: a short one says little by itself. The figures are medians. */
  readonly rounds: number;
}

export interface Working {
  readonly stack: BenchStack;
  readonly instances: Instances;
  readonly requests: BatchRequests;
  /** Of `performance.now()`: what is not done by then ends the step with an error. */
  readonly deadline: number;
}

/** Short steps take less than a second. */
const FOLLOW_SHORT_MS = 100;
const FOLLOW_MS = 400;
const SHORT = 100_000;

interface Once {
  readonly eventsPerSecond: number;
  readonly normalizeUs: number;
  readonly eventsUs: number;
}

/** So many events through all instances. Throws when not each repeated event, and no other, was taken for a duplicate. */
export async function measureStep(working: Working, step: Step): Promise<Omit<Row, 'instances' | 'ids'>> {
  const rounds: Once[] = [];
  const memory = watchMemory(working.instances);
  try {
    for (let i = 0; i < step.rounds; i++) rounds.push(await once(working, step.events));
  } finally {
    memory.stop();
  }
  const middle = (of: (round: Once) => number) => median(rounds.map(of));
  return {
    ...step,
    eventsPerSecond: middle(({ eventsPerSecond }) => eventsPerSecond),
    normalizeUs: middle(({ normalizeUs }) => normalizeUs),
    eventsUs: middle(({ eventsUs }) => eventsUs),
    bothUs: middle(({ normalizeUs, eventsUs }) => normalizeUs + eventsUs),
    memory: memory.most(),
  };
}

async function once({ stack, instances, requests, deadline }: Working, events: number): Promise<Once> {
  const { config } = stack;
  const input = await HeldInput.begin(config.kafka, topics.raw);
  const distinctBefore = requests.distinct;
  let written = 0;
  for (const message of requests.take(events))
    await input.add({ ...message, partition: written++ % config.topics.rawPartitions });
  await input.flush();
  const cpu = () => [instances.normalize, instances.events].map(cpuSecondsOfAll);
  const before = cpu();
  const following = {
    everyMs: events <= SHORT ? FOLLOW_SHORT_MS : FOLLOW_MS,
    longestMs: deadline - performance.now(),
  };
  const round = await runRound(instances, events, () => input.release(), following);
  const [normalizeUs = Number.NaN, eventsUs = Number.NaN] = cpu().map(
    (seconds, i) => ((seconds - (before[i] ?? Number.NaN)) * 1e6) / events,
  );
  const repeated = events - (requests.distinct - distinctBefore);
  if (round.duplicates !== repeated)
    throw new Error(`${repeated} events were sent again, ${round.duplicates} were taken for duplicates`);
  return { eventsPerSecond: events / round.seconds, normalizeUs, eventsUs };
}

const cpuSecondsOfAll = (services: readonly ServiceProcess[]) =>
  services.reduce((sum, service) => sum + service.cpuSeconds(), 0);

const LOOK_MS = 500;

/** The most that an instance had: resident since its start, and of no file while it is watched. */
function watchMemory({ normalize, events }: Instances) {
  const most = { normalize: { peakMb: 0, anonymousMb: 0 }, events: { peakMb: 0, anonymousMb: 0 } };
  const look = () => {
    most.normalize = mostOf(most.normalize, normalize);
    most.events = mostOf(most.events, events);
  };
  const timer = setInterval(look, LOOK_MS);
  look();
  return {
    stop: () => clearInterval(timer),
    most: (): MemoryOfBoth => {
      look();
      return most;
    },
  };
}

function mostOf(before: ServiceMemory, services: readonly ServiceProcess[]): ServiceMemory {
  const now = services.map((service) => service.memory());
  return {
    peakMb: Math.max(before.peakMb, ...now.map(({ peakMb }) => peakMb)),
    anonymousMb: Math.max(before.anonymousMb, ...now.map(({ anonymousMb }) => anonymousMb)),
  };
}
