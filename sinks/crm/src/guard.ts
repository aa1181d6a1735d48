import type { ErrorCode, Logger } from '@email-events/core';
import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
} from 'cockatiel';
import { CrmError } from './errors.ts';

export interface GuardOptions {
  readonly log: Logger;
  readonly now: () => number;
  /** Failures in a row that open the breaker. */
  readonly breakAfter: number;
  /** Time until one call may try again. Milliseconds. */
  readonly breakMs: number;
  /** Time between tries while the configuration is refused. Milliseconds. */
  readonly misconfiguredPauseMs: number;
}

/**
 * What one CRM's trouble means for all its recipients: it opens the breaker when the CRM fails, waits as long as the
 * CRM asks, and all but stops while the CRM refuses the configuration. A throttled call never counts as a failure.
 */
export class CrmGuard {
  private readonly options: GuardOptions;
  private readonly breaker: CircuitBreakerPolicy;
  private openedAt = 0;
  private pause: { until: number; code: ErrorCode } = { until: 0, code: 'SINK_CRM_PAUSED' };
  /** Set while the CRM refuses the configuration. */
  refusal: ErrorCode | undefined;

  constructor(options: GuardOptions) {
    this.options = options;
    this.breaker = circuitBreaker(
      handleWhen((error) => error instanceof CrmError && error.failure === 'unavailable'),
      { breaker: new ConsecutiveBreaker(options.breakAfter), halfOpenAfter: options.breakMs },
    );
    this.breaker.onBreak(() => {
      this.openedAt = options.now();
      options.log.warn({ code: 'SINK_CRM_PAUSED' }, 'the CRM keeps failing: calls pause');
    });
    this.breaker.onReset(() => options.log.info('the CRM answers again'));
  }

  /** Why nothing gets through now and, maybe, nothing will by itself; undefined when calls are made. */
  get problem(): ErrorCode | undefined {
    return this.refusal ?? (this.breaker.state === CircuitState.Closed ? undefined : 'SINK_CRM_PAUSED');
  }

  /** 0 closed, 1 half open, 2 open. */
  get breakerLevel(): number {
    const { state } = this.breaker;
    return state === CircuitState.Closed ? 0 : state === CircuitState.HalfOpen ? 1 : 2;
  }

  /** Runs the call, or throws a CrmError of failure `paused` without running it. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const wait = this.pause.until - this.options.now();
    if (wait > 0) throw new CrmError('paused', this.pause.code, 'calls pause', { afterMs: wait });
    try {
      const result = await this.breaker.execute(call);
      this.accepted();
      return result;
    } catch (error) {
      throw this.learn(error);
    }
  }

  private learn(error: unknown): unknown {
    const { now, breakMs, misconfiguredPauseMs } = this.options;
    if (error instanceof BrokenCircuitError) {
      const afterMs = Math.max(1, this.openedAt + breakMs - now());
      return new CrmError('paused', 'SINK_CRM_PAUSED', 'the breaker is open', { afterMs });
    }
    if (!(error instanceof CrmError)) return error;
    if (error.failure === 'rejected') this.accepted();
    if (error.failure === 'misconfigured') {
      this.refused(error);
      this.pauseFor(misconfiguredPauseMs, error.code);
      return new CrmError('misconfigured', error.code, error.message, {
        cause: error,
        afterMs: misconfiguredPauseMs,
      });
    }
    if (error.afterMs !== undefined) this.pauseFor(error.afterMs, error.code);
    return error;
  }

  /** Says so once; it stays visible in readiness and metrics until the CRM takes a call again. */
  private refused(error: CrmError): void {
    if (this.refusal === undefined) {
      this.options.log.error(
        { code: error.code },
        `${error.message}: nothing is sent until this is put right`,
      );
    }
    this.refusal = error.code;
  }

  private accepted(): void {
    if (this.refusal !== undefined)
      this.options.log.info({ code: this.refusal }, 'the CRM takes calls again');
    this.refusal = undefined;
  }

  private pauseFor(ms: number, code: ErrorCode): void {
    const until = this.options.now() + ms;
    if (until > this.pause.until) this.pause = { until, code };
  }
}
