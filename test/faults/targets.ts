import { SERVICE_NAMES, type ServiceName } from '@email-events/dev/run/services';

// The targets of faults. Services have several instances, components one, but for brokers.

/** Not those that events go by: `lookup` reads a topic into its memory and writes nothing, and a run has no `alerts`. */
const BESIDE: readonly ServiceName[] = ['lookup', 'alerts'];
/** The services that events go through. */
export const SERVICES = SERVICE_NAMES.filter((name) => !BESIDE.includes(name));
export const COMPONENTS = ['kafka', 'registry', 'clickhouse'] as const;
/** One broker of several, by its role when the fault happens; `broker`: in any role. */
export const BROKER_ROLES = [
  'leader',
  'group-coordinator',
  'transaction-coordinator',
  'controller',
  'broker',
] as const;
/** Services that a release brings. The receiver stands in for a CRM, whose releases are its own. */
export const UPGRADED_SERVICES = SERVICES.filter((name) => name !== 'receiver');
export type FaultyService = ServiceName;
export type FaultyComponent = (typeof COMPONENTS)[number];
export type BrokerRole = (typeof BROKER_ROLES)[number];
/** `cluster`: several brokers, by what they agree upon. */
export type Target = FaultyService | FaultyComponent | BrokerRole | 'cluster';

/**
 * kill: SIGKILL, then started again. restart: SIGTERM, then started again; dealt for `broker`, each of them in turn.
 * pause: SIGSTOP, then SIGCONT. cut: all connections to it are reset. slow: every byte to and from it comes late.
 * join: a further instance for a while. elect: leaders go to where others come first. reassign: hot topics give up a
 * replica and get it back. outage: two brokers are killed at once, so that too few replicas are left. upgrade, kill-upgrade:
 * SIGTERM or SIGKILL, then started as the next release; planned, not dealt.
 */
export const FAULT_KINDS = [
  'kill',
  'restart',
  'pause',
  'cut',
  'slow',
  'join',
  'elect',
  'reassign',
  'outage',
  'upgrade',
  'kill-upgrade',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Card = readonly [kind: FaultKind, target: Target, copies: number];
export type Deck = readonly Card[];

export const isUpgrade = (kind: FaultKind): boolean => kind === 'upgrade' || kind === 'kill-upgrade';

export const isComponent = (target: Target): target is FaultyComponent =>
  (COMPONENTS as readonly Target[]).includes(target);

/** Of several brokers: such faults come one after the other, so that there is never a second broker away. */
export const isOfBrokers = (target: Target): target is BrokerRole | 'cluster' =>
  target === 'cluster' || (BROKER_ROLES as readonly Target[]).includes(target);

/** The broker, or brokers, whichever of them it is. */
export const isOfKafka = (target: Target): boolean => target === 'kafka' || isOfBrokers(target);
