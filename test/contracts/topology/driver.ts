import type { DeadLetter, EventType, OperatorAction, Suppression } from '@email-events/schemas';
import type { EmittedEvent, EventTotals, GroupPosition } from '@email-events/test/invariants';

/** A process of `normalize` or `events`. */
export interface Member {
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
}

export interface TypedEvent extends EmittedEvent {
  readonly type: EventType;
  readonly key: string | null;
  readonly eventId: string;
}

export interface Outputs {
  readonly events: readonly TypedEvent[];
  /** In the order of their partition. */
  readonly suppressions: readonly Suppression[];
  /** What operators ordered and was taken, in the order of their partition. */
  readonly actions: readonly OperatorAction[];
  readonly deadLetters: readonly DeadLetter[];
  /** Sums of the durable totals. */
  readonly totals: EventTotals;
}

/** A request as it lies in email.raw. */
export interface TestRequest {
  readonly body: string | Buffer;
  readonly webhookId: string;
  readonly esp?: string;
  readonly partition: number;
}

/** The topology on some Kafka: in memory, or the real one. */
export interface TopologyDriver {
  /** As the ingress writes it. */
  receive(requests: readonly TestRequest[]): Promise<void>;
  /** Writes to the internal topic behind the back of `normalize`. */
  writeInternal(partition: number, value: Buffer): Promise<{ offset: number }>;
  /** An operator’s order, on the partition of its recipient. */
  order(action: OperatorAction): Promise<void>;
  /** As `writeInternal`, in a transaction that is then aborted: no consumer may ever be handed it. */
  abortInternal(partition: number, value: Buffer): Promise<void>;
  startNormalize(): Promise<Member>;
  /** Instances with the same disk share the local state, one after the other. */
  startEvents(disk: string): Promise<Member>;
  loseDisk(disk: string): Promise<void>;
  positions(): Promise<readonly GroupPosition[]>;
  /** Resolves when everything received has been dealt with and committed. */
  idle(): Promise<void>;
  outputs(): Promise<Outputs>;
  close(): Promise<void>;
}

export const PARTITIONS = 3;
export const RAW_PARTITIONS = 2;
