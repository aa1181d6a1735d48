export * from './credentials.ts';
export type { CampaignExpectation, Expectation } from './expectation.ts';
export type { Step } from './lifecycle.ts';
export { createPlan, type Plan, type PlanOptions } from './plan.ts';
export { MISHAPS, type Mishap, type PlannedRequest } from './planned-request.ts';
export { createRandom, type Random } from './random.ts';
export { createProgressBar, overlap, renderSummary } from './render.ts';
export { runSimulation, type SimulationOptions } from './run.ts';
export { type Answer, type Attempt, type SendOptions, sendPlan, sendRequests } from './send.ts';
export { senders } from './senders/index.ts';
export type { Draft, Signed } from './senders/sender.ts';
export type { ExpectedSuppression, SuppressionExpectation } from './suppressions.ts';
export type { EspTally, KindTally, Progress, SimulationResult, Surprise } from './tally.ts';
export {
  type OutgoingRequest,
  signedRequests,
  type WireOptions,
  type WireRequest,
} from './wire.ts';
