import type { WireRequest } from '@email-events/dev/simulate';
import { Agent, type Dispatcher } from 'undici';

/** How one request was answered. */
export interface Reply {
  /** 0: no answer. */
  readonly status: number;
  /** The ingress's X-Request-Id. */
  readonly requestId: string | null;
  readonly tookMs: number;
}

const TIMEOUT_MS = 60_000;

/** Sends requests as they are, over connections of its own. */
export class Client {
  readonly #origin: string;
  readonly #agent: Agent;

  constructor(origin: string, connections: number) {
    this.#origin = origin;
    this.#agent = new Agent({
      ...{ connections, pipelining: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
      // A refusal comes before a large body is sent; what is left of it is not waited for.
      ...{ keepAliveTimeout: 4_000 },
    });
  }

  /** Never rejects. */
  async send({ method, path, headers, body }: WireRequest): Promise<Reply> {
    const began = performance.now();
    const answer = await this.#request({
      ...{ origin: this.#origin, method, path, headers, body: method === 'GET' ? null : body },
    });
    return { ...answer, tookMs: performance.now() - began };
  }

  async #request(options: Dispatcher.RequestOptions): Promise<Omit<Reply, 'tookMs'>> {
    try {
      const { statusCode, headers, body } = await this.#agent.request(options);
      const { 'x-request-id': requestId } = headers;
      // The answer has been given, whatever becomes of the connection.
      await body.dump().catch(() => {});
      return { status: statusCode, requestId: typeof requestId === 'string' ? requestId : null };
    } catch {
      return { status: 0, requestId: null };
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
