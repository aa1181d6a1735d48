import type { InputRecord } from '../records.ts';
import type { Stage, Step, UnforeseenFailure } from '../transact/stage.ts';

/** The error that is thrown for a record; undefined: it is good. */
export type FaultOf = (record: InputRecord) => unknown;

/**
 * A stage for tests: copies records to `out`, sets aside what it fails on to `letters`, and remembers what it was asked.
 * A record's key is the name of its source.
 */
export class PoisonStage implements Stage {
  /** Records a call, for each call. */
  readonly asked: number[] = [];
  readonly attempts: number[] = [];
  /** The error that the work on a good record throws; undefined: none. */
  ownFault: unknown;
  faultOf: FaultOf;

  constructor(faultOf: FaultOf) {
    this.faultOf = faultOf;
  }

  async open(): Promise<void> {}

  async process(records: readonly InputRecord[]): Promise<Step> {
    this.asked.push(records.length);
    for (const record of records) {
      const fault = this.faultOf(record);
      if (fault !== undefined) throw fault;
    }
    return { outputs: records.map(({ value }) => ({ topic: 'out', partition: 0, key: null, value })) };
  }

  async setAside({ key, value, offset }: InputRecord, { attempts }: UnforeseenFailure): Promise<Step> {
    this.attempts.push(attempts);
    const outputs = [{ topic: 'letters', partition: 0, key: null, value }];
    return { outputs, unforeseen: [{ offset, sources: [String(key ?? 'main')] }] };
  }

  async checkItself(): Promise<void> {
    if (this.ownFault !== undefined) throw this.ownFault;
  }

  async close(): Promise<void> {}
}
