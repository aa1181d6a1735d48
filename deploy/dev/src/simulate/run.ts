import { createPlan, type PlanOptions } from './plan.ts';
import { type SendOptions, sendPlan } from './send.ts';
import type { SimulationResult } from './tally.ts';

export interface SimulationOptions
  extends SendOptions,
    Pick<PlanOptions, 'events' | 'esps' | 'duplicates' | 'invalid' | 'hours'> {
  readonly seed?: number | undefined;
  readonly runId?: string | undefined;
  /** Epoch milliseconds; now, if left out. */
  readonly startTime?: number | undefined;
}

/** Plans and sends. Throws RangeError for options that make no plan. */
export function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const startTime = options.startTime ?? Date.now();
  const runId = options.runId ?? `r${startTime.toString(36)}`;
  return sendPlan(createPlan({ ...options, startTime, runId, seed: options.seed ?? 1 }), options);
}
