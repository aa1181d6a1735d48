import { PipelineError } from '@email-events/core';
import { z } from '@email-events/core/config';
import type { LookupCode } from './codes.ts';
import type { Mail } from './question.ts';

/** What one call asks. */
export interface Call extends Mail {
  readonly addresses: readonly string[];
}

/** A call that is not answered with 200. */
export class Refused extends PipelineError {
  declare readonly code: LookupCode;
  readonly status: number;
  readonly headers: { readonly [name: string]: string };

  constructor(
    status: number,
    code: LookupCode,
    message: string,
    headers: { readonly [name: string]: string } = {},
  ) {
    super(code, 'reject', message);
    this.status = status;
    this.headers = headers;
  }
}

export const MAX_ADDRESSES = 10_000;
/** More than any stream or account is called. */
const MAX_NAME = 1_024;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

const invalid = (message: string) => new Refused(400, 'LOOKUP_REQUEST_INVALID', message);

const PARAMETERS: readonly string[] = ['address', 'stream', 'account'];

/** The call of a GET. A parameter that is misspelt must not be answered as if it were not there. Throws Refused. */
export function callOfQuery(query: string): Call & { readonly address: string } {
  const found = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!PARAMETERS.includes(name))
      throw invalid('a parameter is not known; there are address, stream, account');
    if (found.has(name)) throw invalid(`${name} is there twice`);
    found.set(name, value);
  }
  const address = found.get('address');
  if (address === undefined) throw invalid('the parameter address is needed');
  return { address, addresses: [address], ...mailOf(found.get('stream'), found.get('account')) };
}

const body = z.strictObject({
  addresses: z.array(z.string()),
  stream: z.string().nullish(),
  account: z.string().nullish(),
});

/** The call of a POST. Throws Refused. */
export function callOfBody(bytes: Buffer): Call {
  let data: unknown;
  try {
    data = JSON.parse(UTF8.decode(bytes));
  } catch {
    throw invalid('the body is no JSON in UTF-8');
  }
  const count = (data as { addresses?: { length?: unknown } } | null)?.addresses?.length;
  if (typeof count === 'number' && count > MAX_ADDRESSES)
    throw new Refused(400, 'LOOKUP_TOO_MANY_ADDRESSES', `at most ${MAX_ADDRESSES} addresses a call`);
  const parsed = body.safeParse(data);
  if (!parsed.success)
    throw invalid(
      'the body must be {"addresses": [texts], "stream": text, "account": text}, the last two if need be',
    );
  const { addresses, stream, account } = parsed.data;
  return { addresses, ...mailOf(stream ?? undefined, account ?? undefined) };
}

/** An answer about bytes that are no text would be about another address. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

function mailOf(stream: string | undefined, account: string | undefined): Mail {
  for (const [name, value] of Object.entries({ stream, account })) {
    if (value === undefined) continue;
    if (value === '') throw invalid(`${name} is empty: leave it out for none`);
    if (value.length > MAX_NAME || CONTROL.test(value)) throw invalid(`${name} is no name`);
  }
  return { stream, account };
}
