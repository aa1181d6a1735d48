import { codeOf } from '../../errors.ts';
import type { Sink } from '../../sink.ts';

const CHECK_MS = 10_000;
/** Lanes that readiness names; more are counted. */
const NAMED = 5;

/** Whether the sink works: what the last write of each lane said, and the sink's own check. */
export class SinkHealth {
  private readonly sink: Pick<Sink<never>, 'check'>;
  private readonly signal: AbortSignal;
  private readonly lanes = new Map<string, string>();
  private checked: { readonly at: number; readonly code: string | undefined } | undefined;
  private checking: Promise<string | undefined> | undefined;

  constructor(sink: Pick<Sink<never>, 'check'>, signal: AbortSignal) {
    this.sink = sink;
    this.signal = signal;
  }

  /** What a write of a lane said. Undefined: it worked. */
  report(lane: string, code: string | undefined): void {
    if (code === undefined) this.lanes.delete(lane);
    else this.lanes.set(lane, code);
  }

  /** Which lanes wait, and for what: `events-3: CODE, events-5: CODE`. Undefined: none does. */
  waitingLanes(): string | undefined {
    const waiting = [...this.lanes].sort(([a], [b]) => (a < b ? -1 : 1));
    const named = waiting.slice(0, NAMED).map(([lane, code]) => `${lane}: ${code}`);
    if (waiting.length > NAMED) named.push(`${waiting.length - NAMED} more`);
    return named.length === 0 ? undefined : named.join(', ');
  }

  /** The lanes belong to someone else now. */
  forgetLanes(): void {
    this.lanes.clear();
  }

  /** Undefined: it works. Asks the sink if it was not asked for some seconds. */
  async problem(): Promise<string | undefined> {
    const [failing] = this.lanes.values();
    if (failing !== undefined) return failing;
    if (this.checked?.code === undefined && this.checked && performance.now() - this.checked.at < CHECK_MS) {
      return undefined;
    }
    this.checking ??= this.check().finally(() => {
      this.checking = undefined;
    });
    return this.checking;
  }

  private async check(): Promise<string | undefined> {
    let code: string | undefined;
    try {
      await this.sink.check(AbortSignal.any([this.signal, AbortSignal.timeout(CHECK_MS)]));
    } catch (error) {
      code = codeOf(error);
    }
    this.checked = { at: performance.now(), code };
    return code;
  }
}
