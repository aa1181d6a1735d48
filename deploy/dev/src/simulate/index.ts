export * from './credentials.ts';
export type {
  CampaignExpectation,
  Expectation,
  ExpectedSuppression,
  SuppressionExpectation,
} from './expectation.ts';
export type { Step } from './lifecycle.ts';
export {
  createPlan,
  MISHAPS,
  type Mishap,
  type Plan,
  type PlannedRequest,
  type PlanOptions,
} from './plan.ts';
export { createRandom, type Random } from './random.ts';
export {
  type Answer,
  type Attempt,
  type OutgoingRequest,
  runSimulation,
  type SendOptions,
  type SimulationOptions,
  sendPlan,
  sendRequests,
  signedRequests,
  type WireOptions,
  type WireRequest,
} from './send.ts';
export { senders } from './senders/index.ts';
export type { Draft, Signed } from './senders/sender.ts';
export type { EspTally, KindTally, Progress, SimulationResult, Surprise } from './tally.ts';
export { createProgressBar, overlap, renderSummary } from './tally.ts';
