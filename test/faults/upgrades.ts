import { createRandom } from '@email-events/dev/simulate';
import { afterQuiet, type Fault, shuffled } from './schedule.ts';
import { type FaultKind, UPGRADED_SERVICES } from './targets.ts';

export interface UpgradeOptions {
  readonly seed: number;
  /** Of each service. */
  readonly instances: number;
  readonly brokers: number;
  /** The time in which faults begin. Milliseconds. */
  readonly durationMs: number;
}

/**
 * The faults of a run with the upgrades among them. Each instance becomes the next release once, in the middle third of the
 * run, in any order, since neither release may need the other to be first. Every second instance of a service has no time to
 * stop. Pure: same options, same upgrades.
 */
export function withUpgrades(faults: readonly Fault[], options: UpgradeOptions): Fault[] {
  const { seed, instances, brokers, durationMs } = options;
  const random = createRandom(seed).fork(9);
  const planned = UPGRADED_SERVICES.flatMap((target) => {
    const first = random.int(0, 1);
    return Array.from({ length: instances }, (_, instance) => {
      const kind: FaultKind = (first + instance) % 2 === 0 ? 'upgrade' : 'kill-upgrade';
      return { kind, target, instance, lastsMs: 0, delayMs: 0 };
    });
  });
  const thirdMs = durationMs / 3;
  const upgrades = shuffled(planned, random).map((upgrade, i) => {
    const atMs = Math.round(thirdMs + (i * thirdMs) / planned.length);
    return { ...upgrade, atMs: brokers > 1 ? afterQuiet(atMs) : atMs };
  });
  const all = [...faults, ...upgrades].toSorted((a, b) => a.atMs - b.atMs);
  return all.map((fault, index) => ({ ...fault, index }));
}
