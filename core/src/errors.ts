import { CodedError } from '@email-events/schemas/errors';
import type { CORE_CODES } from './codes.ts';

/**
 * How a service handles an error. The code that raises the error decides; one place per service acts on it.
 * reject: tell the sender no. retry: may work later. deadletter: this record never will. fatal: stop, commit nothing.
 */
export type Disposition = 'reject' | 'retry' | 'deadletter' | 'fatal';

/** Error codes, each with what it means for an operator. */
export type CodeTable = { readonly [code: string]: string };
export type Codes<T> = { readonly [Code in keyof T]: unknown };

/** Each owner of codes adds those of its table by `declare module`: one that is in no table does not compile. */
export interface DeclaredCodes extends Codes<typeof CORE_CODES> {}

export type ErrorCode = keyof DeclaredCodes & string;

export interface PipelineErrorOptions extends ErrorOptions {
  readonly remedy?: string;
}

export class PipelineError extends CodedError<ErrorCode> {
  override readonly name = 'PipelineError';
  readonly disposition: Disposition;
  /** Tells the operator how to mend the error if the code alone does not. The command line shows it below the message. */
  readonly remedy: string | undefined;

  constructor(
    code: ErrorCode,
    disposition: Disposition,
    message: string,
    options: PipelineErrorOptions = {},
  ) {
    super(code, message, options);
    this.disposition = disposition;
    this.remedy = options.remedy;
  }
}

/** Code of any error, for logs: its own `code` or `type`, else its class name. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'UNKNOWN';
  const { code, type, name } = error as { code?: unknown; type?: unknown; name?: unknown };
  for (const text of [code, type, name]) if (typeof text === 'string' && text !== '') return text;
  return 'UNKNOWN';
}
