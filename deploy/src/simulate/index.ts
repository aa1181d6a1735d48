export * from './credentials.ts';
export type { CampaignExpectation, Expectation } from './expectation.ts';
export {
  createPlan,
  MISHAPS,
  type Mishap,
  type Plan,
  type PlannedRequest,
  type PlanOptions,
} from './plan.ts';
export { createProgressBar, renderSummary } from './render.ts';
export { runSimulation, type SimulationOptions } from './run.ts';
export { type Answer, type SendOptions, sendPlan, sendRequests } from './send.ts';
export type { ExpectedSuppression, SuppressionExpectation } from './suppressions.ts';
export type { EspTally, KindTally, Progress, SimulationResult, Surprise } from './tally.ts';
export {
  type OutgoingRequest,
  signedRequests,
  WEBHOOK_PATH,
  type WireOptions,
  type WireRequest,
} from './wire.ts';
