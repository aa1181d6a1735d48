import { z } from 'zod';
import type { CallLimits } from './crm.ts';
import { CrmError, errorOfStatus } from './errors.ts';
import { type CrmResponse, HttpClient, retryAfterMs } from './http-client.ts';
import { headerOf, readAs, shaped } from './json-api.ts';

const VERSION = 'v62.0';

export interface SalesforceApiOptions {
  readonly url: string;
  /** CONSUMER_KEY:CONSUMER_SECRET. */
  readonly credentials: string;
  readonly limits: CallLimits;
}

/** A part of a composite call. */
export interface SalesforceRequest {
  readonly method: 'GET' | 'PATCH';
  /** Below the version. */
  readonly path: string;
  readonly httpHeaders?: { readonly [name: string]: string };
  readonly body?: object;
}

/** Of one part. */
export interface SalesforceResult {
  readonly status: number;
  /** Salesforce's codes of what went wrong. */
  readonly codes: readonly string[];
  readonly body: unknown;
}

interface Call {
  readonly body: string;
  readonly reads: boolean;
}

const login = z.object({ access_token: z.string().min(1) });
const refusal = z.object({ error: z.string() });
const errors = z.array(z.object({ errorCode: z.string() }));
const composed = z.object({
  compositeResponse: z.array(z.object({ httpStatusCode: z.int(), body: z.unknown() })),
});

/** The day's calls, or those at a time, are used up; which, and until when, nothing tells. So it is asked now and then. */
const LIMIT_MS = 10_000;

/**
 * The REST API of one org, by composite calls: each counts once, whatever its parts. A token holds for a session, whose end nothing announces;
 * so a call that is refused is made once more with a new one.
 */
export class SalesforceApi {
  private readonly client: HttpClient;
  private readonly options: SalesforceApiOptions;
  private readonly base: string;
  private token: Promise<string> | undefined;

  constructor(options: SalesforceApiOptions) {
    const { timeoutMs, concurrency, now, pace, plan } = options.limits;
    this.client = new HttpClient({ timeoutMs, connections: concurrency, now, pace, plan });
    this.options = options;
    this.base = options.url.replace(/\/+$/, '');
  }

  /** Results of the parts, in their order. None undoes another. */
  async composite(requests: readonly SalesforceRequest[], signal: AbortSignal): Promise<SalesforceResult[]> {
    const data = `/services/data/${VERSION}`;
    const body = {
      allOrNone: false,
      compositeRequest: requests.map(({ path, ...request }, at) => ({
        ...request,
        url: `${data}${path}`,
        referenceId: `part${at}`,
      })),
    };
    const reads = requests.every(({ method }) => method === 'GET');
    const answer = await this.authorized(`${data}/composite`, { body: JSON.stringify(body), reads }, signal);
    const { compositeResponse } = shaped(composed, answer);
    if (compositeResponse.length !== requests.length)
      throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the answer lacks parts');
    return compositeResponse.map(({ httpStatusCode, body: of }) => ({
      status: httpStatusCode,
      codes: errors.safeParse(of).data?.map(({ errorCode }) => errorCode) ?? [],
      body: of,
    }));
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async authorized(path: string, call: Call, signal: AbortSignal): Promise<CrmResponse> {
    const known = this.token !== undefined;
    const first = await this.post(path, call, await this.login(signal), signal);
    if (first.status !== 401) return this.succeeded(first);
    this.token = undefined;
    // A token that is new and refused is not one that has expired.
    if (!known) return this.succeeded(first);
    return this.succeeded(await this.post(path, call, await this.login(signal), signal));
  }

  private post(path: string, call: Call, token: string, signal: AbortSignal): Promise<CrmResponse> {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return this.client.exchange(
      { method: 'POST', url: new URL(`${this.base}${path}`), headers, ...call },
      signal,
    );
  }

  /** One for all calls that wait for it; forgotten if it fails. A caller that gives up takes it from no other. */
  private login(signal: AbortSignal): Promise<string> {
    const token = this.token ?? this.newToken(new AbortController().signal);
    this.token = token;
    token.catch(() => {
      if (this.token === token) this.token = undefined;
    });
    return untilAborted(token, signal);
  }

  private async newToken(signal: AbortSignal): Promise<string> {
    const [client_id = '', client_secret = ''] = this.options.credentials.split(':');
    const answer = await this.client.exchange(
      {
        method: 'POST',
        url: new URL(`${this.base}/services/oauth2/token`),
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        reads: true,
        body: new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret }).toString(),
      },
      signal,
    );
    // It says 400 to credentials that it does not know. Whatever it refuses, no record is at fault.
    const { status } = answer;
    if (status >= 400 && status < 500 && status !== 408 && status !== 429 && !isLimit(answer)) {
      const said = readAs(refusal, answer.body)?.error ?? '';
      const why = KNOWN_REFUSALS.has(said) ? `: ${said}` : '';
      throw new CrmError(
        'misconfigured',
        'SINK_CRM_UNAUTHORIZED',
        `no token: the CRM answered ${status}${why}`,
      );
    }
    return shaped(login, this.succeeded(answer)).access_token;
  }

  private succeeded(answer: CrmResponse): CrmResponse {
    if (isLimit(answer)) {
      const message = 'the calls of the org are used up';
      throw new CrmError('throttled', 'SINK_CRM_THROTTLED', message, { afterMs: LIMIT_MS });
    }
    const afterMs = retryAfterMs(headerOf(answer, 'retry-after'), this.options.limits.now());
    const error = errorOfStatus(answer.status, afterMs);
    if (error) throw error;
    return answer;
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** A limit is told by 403, as missing rights are. */
const isLimit = ({ status, body }: CrmResponse): boolean =>
  status === 403 &&
  (readAs(errors, body)?.some(({ errorCode }) => errorCode === 'REQUEST_LIMIT_EXCEEDED') ?? false);

/** Only these are repeated: what else is written there may be anything. */
const KNOWN_REFUSALS = new Set([
  'invalid_client',
  'invalid_client_id',
  'invalid_grant',
  'unsupported_grant_type',
  'inactive_user',
  'invalid_request',
]);
