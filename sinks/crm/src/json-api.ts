import type { z } from 'zod';
import { askedMs } from './announced.ts';
import type { CallLimits } from './crm.ts';
import { CrmError, errorOfStatus } from './errors.ts';
import { type CrmRequest, type CrmResponse, HttpClient } from './http-client.ts';

type Headers = { readonly [name: string]: string };

export interface JsonApiOptions {
  /** Where all paths begin. A slash at its end does not matter. */
  readonly base: string;
  /** Or what makes them anew for each call, where they must be fresh. */
  readonly headers: Headers | (() => Headers);
  readonly limits: CallLimits;
  /** The error of an answer where its status alone does not tell; undefined: the status does. Its message must quote nothing. */
  readonly errorOf?: (answer: CrmResponse) => CrmError | undefined;
}

/** A path of the API, made by `path`. */
export type ApiPath = string & { readonly encoded: unique symbol };

/** Each value is one part of the path, or of the query, whatever is in it. Throws CrmError for one that a URL cannot hold as a part. */
export const path = (texts: TemplateStringsArray, ...values: readonly (string | number)[]): ApiPath =>
  String.raw({ raw: texts }, ...values.map(part)) as ApiPath;

/** A URL takes the parts `.` and `..` for steps. */
function part(value: string | number): string {
  if (value === '.' || value === '..')
    throw new CrmError('rejected', 'SINK_CRM_REJECTED', 'no such part of a path');
  return encodeURIComponent(value);
}

/** JSON over HTTP, to one account of a CRM. All calls throw CrmError, none retries. */
export class JsonApi {
  private readonly client: HttpClient;
  private readonly base: string;
  private readonly options: JsonApiOptions;

  constructor(options: JsonApiOptions) {
    const { timeoutMs, concurrency, now, pace, plan } = options.limits;
    this.client = new HttpClient({ timeoutMs, connections: concurrency, now, pace, plan });
    this.base = options.base.replace(/\/+$/, '');
    this.options = options;
  }

  /** Reads what must be there. */
  async read<T>(shape: z.ZodType<T>, at: ApiPath, signal: AbortSignal): Promise<T> {
    return shaped(shape, await this.send('GET', at, undefined, signal));
  }

  /** Reads what may not be there: undefined at 404. */
  async find<T>(shape: z.ZodType<T>, at: ApiPath, signal: AbortSignal): Promise<T | undefined> {
    const answer = await this.exchange('GET', at, undefined, signal);
    if (answer.status === 404) return undefined;
    return shaped(shape, this.succeeded(answer));
  }

  /** Searches by POST, which changes nothing. */
  async search(at: ApiPath, body: object, signal: AbortSignal): Promise<CrmResponse> {
    return this.succeeded(await this.exchange('POST', at, body, signal, true));
  }

  /** Deletes what may be gone already. */
  async remove(at: ApiPath, signal: AbortSignal): Promise<void> {
    const answer = await this.exchange('DELETE', at, undefined, signal);
    if (answer.status !== 404) this.succeeded(answer);
  }

  async send(
    method: CrmRequest['method'],
    at: ApiPath,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<CrmResponse> {
    return this.succeeded(await this.exchange(method, at, body, signal));
  }

  /** Returns the answer with any status. */
  exchange(
    method: CrmRequest['method'],
    at: ApiPath,
    body: object | undefined,
    signal: AbortSignal,
    reads = false,
  ): Promise<CrmResponse> {
    const { headers: given } = this.options;
    const headers = { accept: 'application/json', ...(typeof given === 'function' ? given() : given) };
    const request = { method, url: new URL(`${this.base}${at}`), headers, reads };
    if (body === undefined) return this.client.exchange(request, signal);
    return this.client.exchange(
      {
        ...request,
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      },
      signal,
    );
  }

  /** Throws the error of an answer that is no success. */
  succeeded(answer: CrmResponse): CrmResponse {
    const { now, pace } = this.options.limits;
    const afterMs = askedMs(answer, pace?.headers ?? {}, now());
    const error = this.options.errorOf?.(answer) ?? errorOfStatus(answer.status, afterMs);
    if (error) throw error;
    return answer;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** The first, if there are several. */
export function headerOf({ headers }: CrmResponse, name: string): string | undefined {
  const header = headers[name];
  return typeof header === 'object' ? header[0] : header;
}

/** The body as `shape` has it. One that cannot be read says nothing, so it is asked for again; what it holds is not quoted. */
export function shaped<T>(shape: z.ZodType<T>, { body }: CrmResponse): T {
  const read = readAs(shape, body);
  if (read !== undefined) return read;
  throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the answer has another form than documented');
}

/** Undefined if it is no JSON of this shape, as the body of an error may be. */
export function readAs<T>(shape: z.ZodType<T>, body: string): T | undefined {
  try {
    return shape.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}
