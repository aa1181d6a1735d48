import type { Codes, ErrorCode } from '@email-events/core/errors';
import type { RefusalCode } from '@email-events/esps';
import { CodedError } from '@email-events/schemas/errors';

/** How a request that is not accepted is answered. `later` and `unauthorized` have the status that the ESP understands. */
export type AnswerKind =
  | 'bad-request'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'method-not-allowed'
  | 'timeout'
  | 'too-large'
  | 'unsupported'
  | 'over-rate'
  | 'headers-too-large'
  | 'later'
  /** The connection is gone: there is no answer to give. */
  | 'none';

interface CodeFacts {
  readonly answer: AnswerKind;
  /** For the operator who finds the code in the log. */
  readonly doc: string;
}

/** Every code that the ingress itself gives. Refusals of the ESP adapters and KAFKA_… codes are logged under their own. */
export const INGRESS_CODES = {
  INGRESS_HTTP_MALFORMED: { answer: 'bad-request', doc: 'What arrived is no HTTP request.' },
  INGRESS_URL_MALFORMED: { answer: 'bad-request', doc: 'The URL has a broken percent-encoding.' },
  INGRESS_HEADERS_TOO_LARGE: { answer: 'headers-too-large', doc: 'The headers exceed 16 KiB or 100 lines.' },
  INGRESS_REQUEST_TIMEOUT: {
    answer: 'timeout',
    doc: 'The request did not arrive whole within its time (headersTimeoutMs, requestTimeoutMs).',
  },
  INGRESS_PATH_UNKNOWN: { answer: 'not-found', doc: 'No webhook lives under this path.' },
  INGRESS_SOURCE_UNKNOWN: { answer: 'not-found', doc: 'No source of this name is configured.' },
  INGRESS_METHOD_NOT_ALLOWED: { answer: 'method-not-allowed', doc: 'The ESP does not use this method.' },
  INGRESS_PLAIN_HTTP: {
    answer: 'forbidden',
    doc: 'Neither came by HTTPS nor through a trusted proxy that says it did (X-Forwarded-Proto or Forwarded; the log names the missing one).',
  },
  INGRESS_ADDRESS_NOT_ALLOWED: {
    answer: 'forbidden',
    doc: 'The sender is not on the source’s list of addresses.',
  },
  INGRESS_OVER_RATE: { answer: 'over-rate', doc: 'The source exceeds its requestsPerSecond.' },
  INGRESS_OVER_SHARE: {
    answer: 'over-rate',
    doc: 'All together send more than maxBytesPerSecond, and the account of this source more than its share.',
  },
  INGRESS_ENCODING_UNSUPPORTED: {
    answer: 'unsupported',
    doc: 'The body is compressed in a way that this ESP does not use.',
  },
  INGRESS_MEDIA_TYPE_UNSUPPORTED: {
    answer: 'unsupported',
    doc: 'The ESP does not send this content type.',
  },
  INGRESS_BODY_TOO_LARGE: { answer: 'too-large', doc: 'The body exceeds the source’s maxBodyBytes.' },
  INGRESS_BODY_TRUNCATED: { answer: 'none', doc: 'The connection ended before the body did.' },
  INGRESS_CONNECTION_EVICTED: {
    answer: 'none',
    doc: 'All maxConnections were taken: the one that kept us waiting longest gave way to a new one.',
  },
  INGRESS_OVERLOADED: {
    answer: 'later',
    doc: 'Bodies in flight exceed maxInFlightBytes; of those that are arriving, the oldest gives way.',
  },
  INGRESS_DOCUMENT_UNAVAILABLE: {
    answer: 'later',
    doc: 'A certificate that the verification needs could not be fetched, or was not, since too many of this sender’s requests had failed.',
  },
  INGRESS_HANDSHAKE_FAILED: {
    answer: 'later',
    doc: 'The URL that confirms a subscription did not answer with 2xx.',
  },
  INGRESS_SPOOL_FULL: {
    answer: 'later',
    doc: 'Kafka is away and the spool is full: spool.maxBytes is reached, or the disk has no space.',
  },
  INGRESS_SPOOL_UNAVAILABLE: {
    answer: 'later',
    doc: 'Kafka is away and the spool cannot be written now; the log has the cause.',
  },
  INGRESS_SPOOL_DAMAGED: {
    answer: 'none',
    doc: 'A file of the spool is not what was written. What can be read of it is drained, then it is set aside.',
  },
  INGRESS_SPOOL_RECORD_REFUSED: {
    answer: 'none',
    doc: 'Kafka refuses a spooled request for good (the topic takes less than it should); it was set aside.',
  },
  INGRESS_SPOOL_LEFT: {
    answer: 'none',
    doc: 'The process ended with requests in its spool. Keep the disk: the next ingress on it sends them.',
  },
  INGRESS_WORKER_ENDED: {
    answer: 'none',
    doc: 'One of several workers ended by itself (the log has why); the others finish their requests and end too, to be started anew as one.',
  },
  INGRESS_UNEXPECTED: { answer: 'later', doc: 'Something nobody foresaw; the log has the stack.' },
  INGRESS_RELOAD_REFUSED: {
    answer: 'none',
    doc: 'The changed configuration or TLS certificate cannot be used; the old one stays in force.',
  },
} as const satisfies { [code: string]: CodeFacts };

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof INGRESS_CODES> {}
}

export type IngressCode = keyof typeof INGRESS_CODES;
/** Every code under which the log may have a request that is not accepted. */
export type LogCode = RefusalCode | ErrorCode;

export type LogFields = { readonly [name: string]: unknown };

export interface RefusedOptions extends ErrorOptions {
  readonly retryAfterSeconds?: number;
  readonly signedAt?: number | undefined;
  readonly fields?: LogFields;
}

/** A request that is not accepted. */
export class Refused extends CodedError<LogCode> {
  override readonly name = 'Refused';
  readonly retryAfterSeconds: number | undefined;
  /** When the request says that it was signed; epoch milliseconds. */
  readonly signedAt: number | undefined;
  /** The log has them beside the code. */
  readonly fields: LogFields;

  constructor(code: LogCode, options: RefusedOptions = {}) {
    super(code, code, options);
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.signedAt = options.signedAt;
    this.fields = options.fields ?? {};
  }
}

export function answerKind(code: LogCode): AnswerKind {
  if (code in INGRESS_CODES) return INGRESS_CODES[code as IngressCode].answer;
  if (code === 'KAFKA_RECORD_TOO_LARGE') return 'too-large';
  if (code.startsWith('KAFKA_')) return 'later';
  return code === 'BODY_UNREADABLE' ? 'bad-request' : 'unauthorized';
}
