import { Agent } from 'undici';
import { askedMs } from './announced.ts';
import type { CallPace } from './capabilities.ts';
import { CrmError, errorOfStatus } from './errors.ts';

export { retryAfterMs } from './announced.ts';

export interface CrmRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: { readonly [name: string]: string };
  readonly body?: string;
  /** Changes nothing, although it is no GET: a search, a login. */
  readonly reads?: boolean;
}

export interface CrmResponse {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

interface HttpClientOptions {
  /** For a whole call, from connecting to the end of the answer. Milliseconds. */
  readonly timeoutMs: number;
  /** Connections to the CRM, kept alive. */
  readonly connections: number;
  readonly now: () => number;
  readonly pace?: CallPace | undefined;
  /** Told of each call that may change something, which is then not made: it throws CrmError of failure `unverified`. */
  readonly plan?: ((request: CrmRequest) => void) | undefined;
}

const MAX_BODY_BYTES = 1_048_576;

/** HTTP as every adapter uses it: kept connections, one deadline a call, no redirects, bounded answers, coded errors. */
export class HttpClient {
  private readonly agent: Agent;
  private readonly options: HttpClientOptions;

  constructor(options: HttpClientOptions) {
    const { timeoutMs, connections } = options;
    this.options = options;
    this.agent = new Agent({
      connections,
      connect: { timeout: timeoutMs },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: 30_000,
    });
  }

  /** Returns the answer with any status. Throws CrmError when there is none, or `signal`'s reason when the caller gave up. */
  exchange(request: CrmRequest, signal: AbortSignal): Promise<CrmResponse> {
    const { pace, plan } = this.options;
    if (plan && !isRead(request)) return planned(request, plan);
    return pace
      ? pace.run(() => this.exchangeNow(request, signal), signal, request.method)
      : this.exchangeNow(request, signal);
  }

  private async exchangeNow(request: CrmRequest, signal: AbortSignal): Promise<CrmResponse> {
    const deadline = AbortSignal.timeout(this.options.timeoutMs);
    try {
      const { statusCode, headers, body } = await this.agent.request({
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal: AbortSignal.any([signal, deadline]),
      });
      return { status: statusCode, headers, body: await readBounded(body) };
    } catch (cause) {
      if (cause instanceof CrmError) throw cause;
      signal.throwIfAborted();
      throw deadline.aborted || isTimeout(cause)
        ? new CrmError('unavailable', 'SINK_CRM_TIMEOUT', 'no answer in time', { cause })
        : new CrmError('unavailable', 'SINK_CRM_UNREACHABLE', 'no connection, or it was cut', { cause });
    }
  }

  /** Returns the answer of a call that succeeded; otherwise throws the CrmError of its status. */
  async call(request: CrmRequest, signal: AbortSignal): Promise<CrmResponse> {
    return this.succeeded(await this.exchange(request, signal));
  }

  /** Does the same for a thing that may not exist: returns undefined at 404, which is no failure then. */
  async find(request: CrmRequest, signal: AbortSignal): Promise<CrmResponse | undefined> {
    const response = await this.exchange(request, signal);
    return response.status === 404 ? undefined : this.succeeded(response);
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private succeeded(response: CrmResponse): CrmResponse {
    const { pace, now } = this.options;
    const error = errorOfStatus(response.status, askedMs(response, pace?.headers ?? {}, now()));
    if (error) throw error;
    return response;
  }
}

const isRead = ({ method, reads = false }: CrmRequest) => reads || method === 'GET' || method === 'HEAD';

async function planned(request: CrmRequest, plan: (request: CrmRequest) => void): Promise<never> {
  plan(request);
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'the call is planned, and not made');
}

const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

const isTimeout = (cause: unknown) => TIMEOUT_CODES.has(String((cause as { code?: unknown }).code));

async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the stream, so nothing more is read.
    if (bytes > MAX_BODY_BYTES) {
      throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the answer is too large');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
