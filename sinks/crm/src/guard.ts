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
  /** Time between tries while the configuration is refused: at first, and at most. Milliseconds. */
  readonly refusedMs: { readonly first: number; readonly most: number };
  /** What the credentials must be allowed, as the CRM calls it. */
  readonly scopes: readonly string[];
  /** Throws a CrmError of failure `misconfigured` if the CRM refuses the configuration itself, not just one record. */
  readonly probe: () => Promise<void>;
}

/** A call that is to be made. */
export interface GuardedCall<T> {
  /** The record that is sent, by identity: if a second one is refused as well, it is not the first one's fault. */
  readonly subject: object;
  /** It has failed before. While the CRM is in doubt, what is new goes first, or what is bad would keep the doubt up. */
  readonly suspect: boolean;
  /** Whether a result tells that the CRM writes. */
  tells(result: T): boolean;
  make(): Promise<T>;
}

/**
 * Holds back calls for all recipients while the CRM is in trouble: it opens the breaker when the CRM fails, waits as long as the CRM asks, and all
 * but stops while the CRM refuses the configuration. A throttled call never counts as a failure. One record that is refused is not taken
 * for the configuration: a firewall may dislike what is in it.
 */
export class CrmGuard {
  /** Set while the CRM refuses the configuration. */
  refusal: ErrorCode | undefined;
  /** When the CRM last took a write. Epoch milliseconds. */
  wroteAt = Number.NEGATIVE_INFINITY;
  private readonly options: GuardOptions;
  private readonly breaker: CircuitBreakerPolicy;
  private openedAt = 0;
  private pause: { until: number; code: ErrorCode } = { until: 0, code: 'SINK_CRM_PAUSED' };
  /** Refused since anything was taken. */
  private refused = new WeakSet<object>();
  private refusedSubjects = 0;
  private refusedMs: number;
  /** Times in a row that the CRM asked for fewer calls, with no write between that it took. */
  private throttles = 0;
  /** The same, with nothing between that it took. */
  private tooShort = 0;
  private underWay = 0;
  /** What the last check found wrong in the configuration. */
  private wrong: string | undefined;
  /** No call of a state tells that a list exists which the configuration names: until a check has, none is made. */
  private unproven = true;
  private proving: Promise<void> | undefined;

  constructor(options: GuardOptions) {
    this.options = options;
    this.refusedMs = options.refusedMs.first;
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
  async run<T>({ subject, suspect, tells, make }: GuardedCall<T>): Promise<T> {
    this.requireOpen(suspect);
    this.underWay += 1;
    try {
      const result = await this.breaker.execute(async () => {
        await this.requireProof();
        return make();
      });
      this.tooShort = 0;
      if (tells(result)) this.wroteAt = this.options.now();
      if (tells(result) || (this.refusal !== undefined && (await this.probePasses()))) this.accepted();
      return result;
    } catch (error) {
      throw await this.learn(error, subject);
    } finally {
      this.underWay -= 1;
    }
  }

  /**
   * Runs a call of which it is known that it may fail: right before it, and right after, the CRM takes another. So its failure says
   * nothing of the CRM; but a time that the CRM asks for is kept.
   */
  async runAlone<T>(make: () => Promise<T>): Promise<T> {
    this.requireNoPause();
    try {
      await this.requireProof();
      return await make();
    } catch (error) {
      if (error instanceof CrmError && error.failure === 'throttled') throw this.slowDown(error);
      if (error instanceof CrmError && error.afterMs !== undefined) this.pauseFor(error.afterMs, error.code);
      throw error;
    }
  }

  private requireOpen(suspect: boolean): void {
    const { now, breakMs } = this.options;
    this.requireNoPause(suspect && this.refusal ? this.refusedMs / 2 : 0);
    if (this.refusal && this.underWay > 0) throw paused(this.refusal, this.options.refusedMs.first);
    if (!suspect || this.breaker.state === CircuitState.Closed) return;
    const wait = this.openedAt + breakMs * 1.5 - now();
    if (wait > 0) throw paused('SINK_CRM_PAUSED', wait);
  }

  private requireNoPause(longerMs = 0): void {
    const wait = this.pause.until + longerMs - this.options.now();
    if (wait > 0) throw paused(this.pause.code, wait);
  }

  private async learn(error: unknown, subject: object): Promise<unknown> {
    const { now, breakMs } = this.options;
    if (error instanceof BrokenCircuitError)
      return paused('SINK_CRM_PAUSED', Math.max(1, this.openedAt + breakMs - now()));
    if (!(error instanceof CrmError)) return error;
    if (error.failure === 'rejected') this.accepted();
    if (error.failure === 'misconfigured') return this.doubt(error, subject);
    if (error.failure === 'throttled') return this.slowDown(error);
    // Of a wait of no time it is told as if nothing had been said: tries come ever more seldom, and the breaker counts.
    if (error.afterMs === 0) return new CrmError(error.failure, error.code, error.message, { cause: error });
    if (error.afterMs !== undefined) this.pauseFor(error.afterMs, error.code);
    return error;
  }

  /**
   * The CRM takes fewer calls. Where it does not say when more: by chance, so that instances do not come back together, and longer each
   * time. A time that it says holds as it is, unless it is as good as none (Retry-After: 0, a reset that is over, clocks that differ): then a
   * small wait is added, and a longer one each time that it turns out to have been too short.
   */
  private slowDown(error: CrmError): CrmError {
    const { afterMs: said } = error;
    // Calls that were under way together tell no more than one does.
    if (this.pause.until <= this.options.now()) {
      this.throttles += 1;
      this.tooShort += 1;
    }
    const afterMs =
      said === undefined
        ? byChance(THROTTLED_MS.first, this.throttles)
        : said >= SHORT_MS
          ? said
          : said + byChance(SHORT_MS, this.tooShort);
    this.pauseFor(afterMs, error.code);
    return new CrmError('throttled', error.code, error.message, { cause: error, afterMs });
  }

  /** It is the configuration once another subject is refused too, or the probe is; until then it may be the subject. */
  private async doubt(error: CrmError, subject: object): Promise<CrmError> {
    if (!this.refused.has(subject)) {
      this.refused.add(subject);
      this.refusedSubjects += 1;
    }
    const sure = this.refusal !== undefined || this.refusedSubjects > 1 || (await this.probeRefuses());
    if (!sure) return error;
    const afterMs = this.refusedMs;
    this.refuse(error);
    return new CrmError('misconfigured', error.code, error.message, { cause: error, afterMs });
  }

  /** A check has passed, or failed: if it found the configuration wrong, nothing is written until one passes. */
  checked(error?: unknown): void {
    if (error === undefined) {
      this.unproven = false;
      this.wrong = undefined;
    } else if (error instanceof CrmError && error.failure === 'misconfigured') {
      this.unproven = true;
      // Also before there is any state to write, and not each time.
      if (this.wrong !== error.message && this.refusal === undefined) this.sayWrong(error);
      this.wrong = error.message;
    }
  }

  /** The first call waits for a check that passes. A state for which nothing is to be done would count as done, and be gone. */
  private async requireProof(): Promise<void> {
    if (!this.unproven) return;
    this.proving ??= this.options
      .probe()
      .then(() => {
        this.unproven = false;
      })
      .finally(() => {
        this.proving = undefined;
      });
    await this.proving;
  }

  private async probePasses(): Promise<boolean> {
    return this.options.probe().then(
      () => true,
      () => false,
    );
  }

  private async probeRefuses(): Promise<boolean> {
    try {
      await this.options.probe();
      return false;
    } catch (error) {
      return error instanceof CrmError && error.failure === 'misconfigured';
    }
  }

  /** Says so once; it stays visible in readiness and metrics until the CRM takes a call again. */
  private refuse(error: CrmError): void {
    const { now, refusedMs } = this.options;
    if (this.refusal === undefined && this.wrong !== error.message) this.sayWrong(error);
    const known = this.refusal !== undefined;
    this.refusal = error.code;
    // Calls that were under way together tell no more than one does.
    if (known && this.pause.until > now()) return;
    this.pauseFor(this.refusedMs, error.code);
    this.refusedMs = Math.min(refusedMs.most, this.refusedMs * 2);
  }

  private sayWrong({ code, message }: CrmError): void {
    const { log, scopes } = this.options;
    const needs =
      code === 'SINK_CRM_UNAUTHORIZED' && scopes.length > 0
        ? `; the credentials need ${scopes.join(', ')}`
        : '';
    log.error({ code }, `${message}: nothing is sent until this is put right${needs}`);
  }

  private accepted(): void {
    if (this.refusal !== undefined)
      this.options.log.info({ code: this.refusal }, 'the CRM takes calls again');
    this.refusal = undefined;
    this.refusedMs = this.options.refusedMs.first;
    this.throttles = 0;
    if (this.refusedSubjects === 0) return;
    this.refused = new WeakSet();
    this.refusedSubjects = 0;
  }

  private pauseFor(ms: number, code: ErrorCode): void {
    const until = this.options.now() + ms;
    if (until > this.pause.until) this.pause = { until, code };
  }
}

const THROTTLED_MS = { first: 1_000, most: 60_000 };
/** A wait that is shorter is not taken at its word for long. */
const SHORT_MS = 20;

/** Full jitter: up to twice as long each further time. */
function byChance(firstMs: number, times: number): number {
  const most = Math.min(THROTTLED_MS.most, firstMs * 2 ** Math.min(times - 1, 30));
  return Math.max(1, Math.ceil(Math.random() * most));
}

const paused = (code: ErrorCode, afterMs: number) => new CrmError('paused', code, 'calls pause', { afterMs });
