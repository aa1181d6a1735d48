import type { IngressCode } from '../codes.ts';
import type { StoredRecord } from './spool-file.ts';

/** Why the spool does not take a request. */
export type SpoolProblem = Extract<IngressCode, 'INGRESS_SPOOL_FULL' | 'INGRESS_SPOOL_UNAVAILABLE'>;

/** What the store says of itself after everything it does. */
export interface SpoolStatus {
  /** Undefined when it takes requests. */
  readonly problem: SpoolProblem | undefined;
  /** Requests that wait here: accepted by this process, or taken over from one that is gone. */
  readonly records: number;
  readonly bytes: number;
  /** Epoch milliseconds; undefined when nothing waits. */
  readonly oldestAt: number | undefined;
  /** Spools of this directory that somebody must look at. */
  readonly setAside: number;
}

/** Some requests of one spool, in order of their acceptance. */
export interface DrainBatch {
  readonly spool: string;
  readonly records: readonly StoredRecord[];
}

/** What an operator must hear of. */
export interface SpoolNote {
  readonly level: 'info' | 'warn' | 'error';
  readonly code?: IngressCode;
  readonly text: string;
  readonly fields: { readonly [name: string]: string | number | undefined };
}

export interface StoreSettings {
  readonly dir: string;
  readonly maxBytes: number;
}

/** What the thread is asked, one at a time and in order. */
export type StoreRequest =
  | {
      readonly type: 'append';
      readonly at: number;
      readonly headers: readonly string[];
      readonly lengths: readonly number[];
      readonly bodies: Uint8Array;
    }
  | { readonly type: 'next'; readonly maxRecords: number; readonly maxBytes: number }
  | {
      readonly type: 'settle';
      readonly spool: string;
      readonly published: readonly number[];
      readonly refused: readonly number[];
    }
  | { readonly type: 'probe' }
  | { readonly type: 'close' };

/** `append` is answered with the problem if it failed, `next` with a batch if there is one. */
export interface StoreReply {
  readonly id: number;
  readonly status: SpoolStatus;
  readonly problem?: SpoolProblem;
  readonly batch?: DrainBatch;
}

export type ThreadMessage = StoreReply | { readonly note: SpoolNote };
