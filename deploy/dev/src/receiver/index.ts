export { FAULT_KINDS, type Fault, type FaultKind } from './faults.ts';
export { type Receiver, type ReceiverOptions, startReceiver } from './receiver.ts';
export type { ReceivedReason, ReceivedState } from './state.ts';
export type { ReceiverStats } from './stats.ts';
