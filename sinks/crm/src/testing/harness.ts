import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallWindow } from '../capabilities.ts';
import type { Instants } from '../engagement.ts';

/** A call as the CRM receives it. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  /** By name in small letters. */
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
}

/** The state of a recipient as the CRM stores it. */
export interface Held {
  /** It mails the recipient no more. */
  readonly suppressed: boolean;
  /** `reason:scope` of each, in any order; only of a CRM that keeps reasons. */
  readonly reasons?: readonly string[];
}

/** A CRM in memory that speaks as the vendor documents, to one account. It knows no recipient at first. */
export interface PlayedCrm {
  /** Settings that lead to it, as in sinks.crm. `base` is the address of its server, without a slash at the end. */
  settings(base: string): { url: string; secrets: string[]; options?: { [name: string]: unknown } };
  /** Secrets of the right form that it does not know. */
  readonly wrongSecrets: readonly string[];
  /** Answers a call. It refuses one without its credentials. */
  answer(call: Call): Answer;
  /** The recipient that a call is about; undefined: none, as for a search or a token. */
  recipientOf(call: Call): string | undefined;
  /** Whether a call changes nothing, whatever its method: a search, a login. Left out: GET and HEAD. */
  reads?(call: Call): boolean;
  /** Undefined: it does not know the recipient. */
  held(recipient: string): Held | undefined;
  /** All recipients that it knows. */
  recipients(): string[];
  /** The recipient opts out at the CRM, or a user of the CRM does it, as opposed to a call of this pipeline. Creates who is unknown. */
  optOut?(recipient: string): void;
  /** A user of the CRM imports the address from a file, as a contact who wants mail. Of a CRM that erases contacts, or is told of their engagement. */
  importContact?(recipient: string): void;
  /** Instants of engagement that it holds of the recipient, in the fields that are named by default; undefined: it has no contact. */
  engaged?(recipient: string): Instants | undefined;
  /** Whether it has a contact with the address; left out: whoever is among `recipients`. */
  isContact?(recipient: string): boolean;
}

/** Exported by `<crm>.harness.ts` as `harness`: plays the CRM to its adapter. */
export interface CrmHarness {
  /** `faster`: it takes so many times the calls that it would, where it counts them itself; default 1. */
  play(faster?: number): PlayedCrm;
  /** It does some things later than it answers, and to ask what it holds ends them. */
  readonly asynchronous?: true;
  /** How it says "too many calls", where it is not 429 with Retry-After; `afterMs` is what an adapter can know of the wait. */
  throttled?(seconds: number): { readonly answer: Answer; readonly afterMs: number | undefined };
  /** Answers that mean that the credentials are refused, where they are not 401 and 403. */
  readonly refused?: readonly Answer[];
  /** Answers that mean that one recipient's state is refused for good, where they are not 400 and 422. */
  readonly rejected?: readonly Answer[];
}

/**
 * Happens to a call instead of an answer. silent: none. endless: one that goes on, a byte now and then. cut: the connection is reset before
 * anything is done. lost: a write is done, then the connection is reset; reads are answered.
 */
export type Fault = Answer | 'silent' | 'endless' | 'cut' | 'lost';

const DRIP_MS = 50;
const TICK_MS = 5;

/** A played CRM on a port of the loopback, which can be made to fail. */
export class PlayedServer {
  /** Every call, in the order of arrival. */
  readonly calls: Call[] = [];
  /** Happens to every call until it is taken away. */
  fault: Fault | undefined;
  /** Says for each call what happens to it, before `fault`. */
  faultOfNext: (() => Fault | undefined) | undefined;
  /** Calls that it takes within a window that slides: the next one gets `over`. */
  limit: (CallWindow & { readonly over: Answer }) | undefined;
  /** Calls that were over the limit. */
  refused = 0;
  /** When the calls that it took for the limit came, at the earliest: what came while this process had no time is seen late, and all at once. */
  private readonly times: number[] = [];
  private idleAt = performance.now();
  private tickedAt = this.idleAt;
  private readonly ticks = setInterval(() => {
    // Not this tick but the one before: after a standstill the first tick may come before what arrived meanwhile is read.
    this.idleAt = this.tickedAt;
    this.tickedAt = performance.now();
  }, TICK_MS).unref();
  /** Happens to calls about a recipient, before `fault`. */
  readonly faultsOf = new Map<string, Fault>();
  private readonly crm: PlayedCrm;
  private readonly server = createServer((request, response) => void this.serve(request, response));

  private constructor(crm: PlayedCrm) {
    this.crm = crm;
  }

  static async start(crm: PlayedCrm): Promise<PlayedServer> {
    const played = new PlayedServer(crm);
    // Node cuts connections that are idle for five seconds, which on a busy machine may meet the next call; faults are the tests' to make.
    played.server.keepAliveTimeout = 0;
    await new Promise<void>((resolve) => played.server.listen(0, '127.0.0.1', resolve));
    return played;
  }

  get base(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    clearInterval(this.ticks);
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const base = this.base;
    const call = await received(request, base);
    this.calls.push(call);
    const over = this.overLimit(performance.now());
    if (over) return send(response, over);
    const about = this.crm.recipientOf(call);
    const fault =
      (about === undefined ? undefined : this.faultsOf.get(about)) ?? this.faultOfNext?.() ?? this.fault;
    const reads = call.method === 'GET' || call.method === 'HEAD' || (this.crm.reads?.(call) ?? false);
    // An answer that refuses a recipient is none to a login.
    const login = reads && call.method === 'POST' && about === undefined;
    if (fault === undefined || (login && refusesRecipient(fault)))
      return send(response, this.crm.answer(call));
    if (typeof fault === 'object') return send(response, fault);
    if (fault === 'endless') drip(response.writeHead(200));
    if (fault === 'cut') request.socket.resetAndDestroy();
    if (fault === 'lost') {
      const answer = this.crm.answer(call);
      if (reads) send(response, answer);
      else request.socket.resetAndDestroy();
    }
  }

  /** The answer to a call that is one too many. */
  private overLimit(now: number): Answer | undefined {
    const { limit, times } = this;
    if (!limit) return undefined;
    while (times.length > 0 && now - (times[0] ?? now) >= limit.perMs) times.shift();
    if (times.length >= limit.calls) {
      this.refused += 1;
      return limit.over;
    }
    times.push(this.idleAt);
    return undefined;
  }
}

function refusesRecipient(fault: Fault): boolean {
  if (typeof fault !== 'object') return false;
  const { status } = fault;
  return status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status);
}

async function received(request: IncomingMessage, base: string): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = '', url = '', headers } = request;
  return {
    method,
    url: new URL(url, base),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(chunks).toString(),
  };
}

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), DRIP_MS);
  response.on('close', () => clearInterval(timer));
}

function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, headers).end(body);
}
