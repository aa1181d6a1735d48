export { brokerNames, isBroker, nodeIdOf, replicationOn, wantedBrokers } from './brokers.ts';
export { connectEngine, type Engine } from './containers/engine.ts';
export { type RunningStack, readRunningStack } from './data-dir.ts';
export { STACK_ERROR_CODES, StackError, type StackErrorCode } from './errors.ts';
export { keepOldLogs, OLD_LOGS, oldLog } from './old-logs.ts';
export { anyPorts, choosePorts, type PortRange } from './ports.ts';
export { formatProgress, type ProgressEvent, type ProgressListener, printProgress } from './progress.ts';
export {
  createProvider,
  PROVIDERS,
  type ProviderName,
  selectBreakable,
  selectProvider,
} from './select.ts';
export type {
  BrokerName,
  Component,
  ComponentExit,
  ComponentName,
  KafkaStack,
  SecuredBrokers,
  Stack,
  StackAddresses,
  StackInside,
  StackOptions,
  StackPorts,
  StackProvider,
} from './stack.ts';
export { readVersions, type Versions } from './versions.ts';
