export type { Draft, Random, Step } from '@email-events/esps/accounts/kit/speech';
export * from './credentials.ts';
export type {
  CampaignCounts,
  Expectation,
  ExpectedSuppression,
  SuppressionExpectation,
} from './expectation.ts';
export {
  createPlan,
  MISHAPS,
  type Mishap,
  type Plan,
  type PlannedRequest,
  type PlanOptions,
} from './plan.ts';
export { createRandom } from './random.ts';
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
  wireRequest,
} from './send.ts';
export { type DraftSigner, senderOf } from './sender.ts';
export type { EspTally, KindTally, Progress, SimulationResult, Surprise } from './tally.ts';
export { createProgressBar, overlap, renderSummary } from './tally.ts';
