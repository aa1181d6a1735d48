import { CodedError } from '@email-events/schemas/errors';
import type { CORE_CODES } from './codes.ts';

/**
 * What to do about an error, decided where it is understood and acted on in one place per service.
 * reject: tell the sender no. retry: may work later. deadletter: this record never will. fatal: stop, commit nothing.
 */
export type Disposition = 'reject' | 'retry' | 'deadletter' | 'fatal';

export const ERROR_CODES = {
  CONFIG_INVALID: 'The configuration has problems; all are listed with their paths.',
  CONFIG_DOUBTFUL:
    'The configuration works, and has something in it that should be looked at; all is listed.',
  CONFIG_UNREADABLE: 'The configuration file cannot be read or is no YAML.',
  KAFKA_NOT_JOINED: 'The consumer has not joined its group yet.',
  KAFKA_UNREACHABLE: 'No broker answers.',
  KAFKA_TOPIC_MISSING:
    'A topic is missing, or has fewer partitions than configured and may get more: run `topics apply`.',
  KAFKA_TOPIC_CONFLICT:
    'A topic differs from the configuration in a way that `topics apply` cannot change: `topics plan` shows all of them. Configure what is there, or change it with Kafka’s own tool.',
  KAFKA_READ_STALLED:
    'A partition has something to read and does not go on, for example because of an open transaction.',
  KAFKA_LOG_TRUNCATED:
    'A partition ends before what was read already: records were lost or the topic was made anew. Stop all instances of the group, reset it, start them again.',
  KAFKA_RECORD_TOO_LARGE: 'A record exceeds what its topic takes.',
  KAFKA_ANSWER_INCOMPLETE: 'A broker’s answer does not mention what was asked for; it is asked again.',
  KAFKA_FENCED: 'Another instance owns the partition now; this one lets go of it.',
  KAFKA_BACKLOG_FULL: 'Too many bytes wait for the broker; nothing more is taken.',
  KAFKA_PUBLISH_FAILED: 'The broker did not acknowledge in time.',
  STATE_RESTORE_FAILED: 'The changelog could not be read to its end.',
  STATE_RESTORING: 'A partition was assigned; its state is being brought up to date from the changelog.',
  STATE_DISK_FULL:
    'The disk under the state store takes no more: full, over its quota, or failing. Its partitions wait.',
  STATE_UNUSABLE: 'The local store is corrupt or foreign; it is rebuilt from the changelog.',
  NORMALIZE_HEADERS_UNREADABLE: 'A record of email.raw lacks the headers of a request.',
  NORMALIZE_ESP_UNKNOWN: 'A record of email.raw names an ESP that has no adapter in this version.',
  NORMALIZE_TOKEN_REPLAYED:
    'A request used a token that came with another body before; only one of the two can be genuine.',
  NORMALIZE_EVENT_INVALID: 'An event does not fit the schema of the internal topic.',
  NORMALIZE_EVENT_TOO_LARGE: 'An event is larger than a record may be.',
  NORMALIZE_TOO_MANY_ITEMS:
    'A request has more items than `normalize.maxItems`; nothing of it was read. Raise that, start `normalize` anew, then replay it.',
  NORMALIZE_TOO_MANY_EVENTS:
    'A request comes to more events than `normalize.maxEvents`; none came out. Raise that, start `normalize` anew, then replay it.',
  NORMALIZE_OUTPUT_TOO_LARGE:
    'A request comes to more bytes of events than `normalize.maxOutputBytes` or `maxOutputRatio` allow; none came out. Raise these, start `normalize` anew, then replay it.',
  NORMALIZE_TOO_MANY_FAILURES:
    'More items of a request cannot be read than `normalize.maxDeadLetters`: one dead letter stands for all of them. What can be read came out.',
  NORMALIZE_RECORD_FAILED:
    'The work on a request failed in a way nobody foresaw, each time it was tried; replay it with a version that mends it.',
  EVENTS_RECORD_FAILED:
    'The work on a record of the internal topic, or on one event in it, failed in a way nobody foresaw, each time it was tried; replay it with a version that mends it.',
  PROCESSOR_HALTED:
    'The work on good records fails, or on records of several sources: the fault is in this version or its surroundings, so nothing is set aside. Start a version that mends it.',
  EVENTS_EVENT_INVALID:
    'An event has no usable id or recipient, or does not fit the schema of its type; the message says which.',
  EVENTS_RECORD_UNREADABLE: 'A record of the internal topic cannot be decoded.',
  SINK_RECORD_UNREADABLE: 'A record cannot be decoded by the sink.',
  SINK_UNAVAILABLE: 'The sink cannot work now; its partitions wait.',
  SINK_RECORD_FAILED:
    'The sink fails of this record, in a way that nobody foresaw, and of no other: it is set aside. Tell us.',
  SINK_UNEXPECTED:
    'The sink fails of records of several sources, or of a good one: it has a fault. It stops, commits nothing and sets nothing aside.',
  SINK_CUT_UNKNOWN:
    'A batch was announced that this version cannot cut in the same pieces: finish it with the version that announced it.',
  SINK_CLICKHOUSE_UNAVAILABLE:
    'ClickHouse does not answer or cannot take rows now; the same rows are sent again.',
  SINK_CLICKHOUSE_REFUSED:
    'ClickHouse refuses the user: wrong password, or no right to insert. The rows wait until that is put right.',
  SINK_CLICKHOUSE_OVERLOADED:
    'ClickHouse takes no more now: memory, parts, quota or disk; its log says which. The same rows are sent again.',
  SINK_CLICKHOUSE_SCHEMA:
    'A table or column is missing in ClickHouse: run `clickhouse migrate`, or, if that has nothing to do, put back what was changed by hand. The rows wait.',
  SINK_CLICKHOUSE_ROW_REFUSED: 'ClickHouse cannot read this row; the others of its batch were written.',
  SINK_CLICKHOUSE_MIGRATION_EDITED: 'A migration that was applied is not the file of this version.',
  SINK_CRM_THROTTLED: 'The CRM asks for fewer calls; they go on when it says.',
  SINK_CRM_UNAVAILABLE: 'The CRM answered that it cannot work now.',
  SINK_CRM_TIMEOUT: 'The CRM did not answer in time.',
  SINK_CRM_UNREACHABLE: 'No connection to the CRM, or it was cut.',
  SINK_CRM_PAUSED: 'The CRM failed several times in a row; calls pause and one tries again now and then.',
  SINK_CRM_UNAUTHORIZED:
    'The CRM refuses the credentials: nothing is sent until the configuration is put right.',
  SINK_CRM_REDIRECTED: 'The CRM answered with a redirect, which is never followed: put the address right.',
  SINK_CRM_REJECTED: 'The CRM refuses this state for good, and takes others.',
  SINK_CRM_RECORD_FAILED:
    'The CRM failed of this state again and again while it took others: it is set aside.',
  SINK_CRM_UNVERIFIED: 'Read back after the write, the CRM does not hold the state; it is written again.',
  RUN_ALREADY_RUNNING: 'Another process runs the pipeline on this data directory.',
  RUN_NOT_RUNNING: 'No pipeline runs on this data directory.',
  RUN_SERVICE_FAILED: 'A service does not start or ended again and again; its log file says why.',
  RUN_SERVICES_UNAVAILABLE: 'Services cannot be run as SERVICES says; the message says what they need.',
  RUN_STOP_FAILED: 'Something of the pipeline could not be stopped.',
  RUN_DEMO_DIFFERS: 'What came out of the pipeline is not what was sent; the differences are listed.',
  CLI_USAGE: 'The command line or its input cannot be understood.',
  INSPECT_REQUEST_INVALID: 'What `inspect` was given is no request in its JSON form.',
  INSPECT_ESP_UNKNOWN: 'There is no adapter of that name.',
  INSPECT_CREDENTIALS_UNUSABLE:
    'The secrets or options cannot verify anything; the message names the option.',
  DLQ_NOT_FOUND: 'There is no dead letter of that id (any more).',
  BACKFILL_SINK_BEHIND:
    'What came out is asked of ClickHouse, and its sink is too far behind to tell; it can be run when the sink runs and has caught up.',
  CLI_SINK_BEHIND:
    'What came out is asked of ClickHouse, and its sink has not written all of it yet; it can be run when the sink runs and has caught up.',
  CLI_CHANGE_DIFFERS:
    'More or less would change than --yes-change says, so nothing was changed: without it the same command shows what would.',
  CLI_UNAVAILABLE: 'Something that the command needs does not answer.',
  SERVICE_STOP_TIMEOUT: 'A step of the shutdown did not finish within its deadline.',
  SERVICE_UNEXPECTED: 'Something nobody foresaw; the process stops and commits nothing.',
} as const;

/** Error codes, each with what it means for an operator. */
export type CodeTable = { readonly [code: string]: string };
export type Codes<T> = { readonly [Code in keyof T]: unknown };

/** Each owner of codes adds those of its table by `declare module`: one that is in no table does not compile. */
export interface DeclaredCodes extends Codes<typeof CORE_CODES> {}

export type ErrorCode = (keyof DeclaredCodes | keyof typeof ERROR_CODES) & string;

export interface PipelineErrorOptions extends ErrorOptions {
  readonly remedy?: string;
}

export class PipelineError extends CodedError<ErrorCode> {
  override readonly name = 'PipelineError';
  readonly disposition: Disposition;
  /** What to do about it, where the code alone does not tell: for the command line, which shows it below the message. */
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
