import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Fault } from '@email-events/sink-crm/testing';

/** What is asked of the process that plays CRMs. `of`: which one, by its kind. */
export type Order =
  /** Of each call, with this probability, one of these happens to it. Replaces what was there. */
  | { readonly do: 'chances'; readonly of: string; readonly chances: readonly Chance[] }
  /** Happens to every call until it is taken away. */
  | { readonly do: 'all'; readonly of: string; readonly fault: Fault | null }
  /** Happens to the next call. */
  | { readonly do: 'next'; readonly of: string; readonly fault: Fault }
  /** The next call is one too many: the CRM says so in its own way. */
  | { readonly do: 'throttle'; readonly of: string }
  /** Calls that write these recipients get this answer, always. */
  | { readonly do: 'refuse'; readonly of: string; readonly recipients: readonly string[] }
  /** They opt out at the CRM. */
  | { readonly do: 'optOut'; readonly of: string; readonly recipients: readonly string[] }
  /** How many recipients it knows: less than a report, for whoever asks often. */
  | { readonly do: 'count'; readonly of: string }
  | { readonly do: 'report'; readonly of: string };

export interface Chance {
  readonly probability: number;
  readonly fault: Fault;
}

/** What a CRM says of itself. */
export interface PlayedReport {
  /** Each recipient that it knows, as often as it has a contact. */
  readonly held: readonly (readonly [recipient: string, suppressed: boolean])[];
  /** Whether its own users can opt somebody out. */
  readonly hasOptOuts: boolean;
  readonly calls: number;
  /** More than its limit takes, as it counts them. */
  readonly over: number;
  /** Faults, by kind. */
  readonly faults: { readonly [kind: string]: number };
  /** How often a call made it mail a recipient whom it mailed no more before. */
  readonly reenabled: { readonly [recipient: string]: number };
  /** Calls that no adapter should make, such as one that subscribes somebody. */
  readonly fouls: readonly string[];
  /** When the last call came. Milliseconds of the clock that only grows, from the start of that process. */
  readonly lastCallMs: number;
  /** And the first one. */
  readonly firstCallMs: number;
  /** When a call made it mail a recipient no more for the first time. Epoch milliseconds. */
  readonly firstSuppressedAt: readonly (readonly [recipient: string, at: number])[];
}

export type Reply =
  | { readonly settings: { readonly [kind: string]: PlayedSettings } }
  | { readonly count: number }
  | { readonly report: PlayedReport };

/** As in sinks.crm. */
export interface PlayedSettings {
  readonly url: string;
  readonly secrets: readonly string[];
  readonly options?: object;
}

export interface PlayOptions {
  readonly kinds: readonly string[];
  readonly seed: number;
  /** Calls a second that each CRM takes. */
  readonly limit: number;
}

/** CRMs that their harnesses play, in a process of their own: what the test does beside must not make them late. */
export class PlayedCrms {
  readonly settings: { readonly [kind: string]: PlayedSettings };
  private readonly child: ChildProcess;
  private readonly gone: Promise<never>;
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, gone: Promise<never>, settings: PlayedCrms['settings']) {
    this.child = child;
    this.gone = gone;
    this.settings = settings;
  }

  static async start(options: PlayOptions): Promise<PlayedCrms> {
    const child = fork(new URL('./played-main.ts', import.meta.url), [JSON.stringify(options)]);
    const ended = gone(child);
    // It ends in every case, and matters only while something is asked.
    ended.catch(() => {});
    const [first] = (await Promise.race([once(child, 'message'), ended])) as [Reply];
    if (!('settings' in first)) throw new Error('the played CRMs say nothing of their settings');
    return new PlayedCrms(child, ended, first.settings);
  }

  order(order: Exclude<Order, { do: 'report' | 'count' }>): void {
    this.child.send(order);
  }

  async report(of: string): Promise<PlayedReport> {
    const reply = await this.ask({ do: 'report', of });
    if (!('report' in reply)) throw new Error('no report');
    return reply.report;
  }

  /** How many recipients it knows. */
  async count(of: string): Promise<number> {
    const reply = await this.ask({ do: 'count', of });
    if (!('count' in reply)) throw new Error('no count');
    return reply.count;
  }

  /** One question at a time: an answer does not say what it is to. */
  private ask(order: Order): Promise<Reply> {
    const asked = this.turn.then(async () => {
      this.child.send(order);
      const [reply] = (await Promise.race([once(this.child, 'message'), this.gone])) as [Reply];
      return reply;
    });
    this.turn = asked.catch(() => {});
    return asked;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

async function gone(child: ChildProcess): Promise<never> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  throw new Error(`the process that plays the CRMs ended: ${code} ${signal}`);
}
