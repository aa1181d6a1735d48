import { CodecError } from '@email-events/schemas';
import { CodedError } from '@email-events/schemas/errors';
import { codeOf, PipelineError } from '../errors.ts';
import { createErrorFromCode, type ProtocolError } from './kafkajs/kafkajs.ts';

// The one place that judges errors of brokers, of kafkajs and of the connections to them: what each means, and what may be tried again.

/** The answer lacks what was asked for. Never a default: it may be anything. */
export class AnswerIncomplete extends CodedError<'KAFKA_ANSWER_INCOMPLETE'> {
  override readonly name = 'AnswerIncomplete';
  readonly retriable = true;

  constructor(missing: string) {
    super('KAFKA_ANSWER_INCOMPLETE', `a broker's answer does not mention ${missing}`);
  }
}

/** Bytes of a topic are not what was written to it. They may be when they are fetched again. */
export class RecordsDamaged extends CodedError<'KAFKA_RECORDS_DAMAGED'> {
  override readonly name = 'RecordsDamaged';
  readonly retriable = true;

  constructor(where: string) {
    super('KAFKA_RECORDS_DAMAGED', `a batch of ${where} does not match its checksum`);
  }
}

/** Numbers of the protocol's errors, for those that are read or made here by number. */
export const LEADER_NOT_AVAILABLE = 5;
export const NOT_LEADER_FOR_PARTITION = 6;
export const MEMBER_ID_REQUIRED = 79;
const OPERATION_NOT_ATTEMPTED = 55;

/** Throws the first error among these codes of an answer; 0 is none. What was not attempted because of another is told last. */
export function throwFirstError(codes: Iterable<number>): void {
  let notAttempted = false;
  for (const code of codes) {
    if (code === OPERATION_NOT_ATTEMPTED) notAttempted = true;
    else if (code !== 0) throw createErrorFromCode(code);
  }
  if (notAttempted) throw createErrorFromCode(OPERATION_NOT_ATTEMPTED);
}

/** A broker has understood the request and says no: nothing is wrong with the connection. */
export function isProtocolError(error: unknown): error is ProtocolError {
  return nameOf(error) === 'KafkaJSProtocolError';
}

/** The protocol's name of the error that a broker gave. */
const typeOf = (error: unknown): unknown => (error as { type?: unknown } | null | undefined)?.type;
const nameOf = (error: unknown): unknown => (error as { name?: unknown } | null | undefined)?.name;
const oneOf = (types: readonly string[]) => (error: unknown) =>
  isProtocolError(error) && types.includes(error.type);

/** May work when it is tried again, perhaps at another broker. */
export const isRetriable = (error: unknown): boolean =>
  (error as { retriable?: unknown } | null | undefined)?.retriable === true;

/** The broker is not, or no longer, the coordinator. */
export const isCoordinatorMoved = oneOf(['GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP']);

/** The group does not know this member (any more). */
export const isUnknownMember = oneOf(['UNKNOWN_MEMBER_ID']);

/** The group gives a new member a name first, and wants to be told it. */
export const isMemberIdRequired = oneOf(['MEMBER_ID_REQUIRED']);

/** The group says: join anew. */
export const isJoinAgain = oneOf([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'MEMBER_ID_REQUIRED',
]);

/** There is no record at the offset that was asked for. */
export const isOffsetOutOfRange = oneOf(['OFFSET_OUT_OF_RANGE']);

/** Of several brokers one may not have heard of a topic yet that was made just now. */
export const isTopicUnknown = (error: unknown): boolean => typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION';

/** The text beside a committed offset is longer than `offset.metadata.max.bytes` of the broker. */
export const isNoteTooLong = oneOf(['OFFSET_METADATA_TOO_LARGE']);

/** A record, or a batch of them, is larger than its topic takes. */
const isTooLarge = (error: unknown): boolean =>
  typeOf(error) === 'MESSAGE_TOO_LARGE' || typeOf(error) === 'RECORD_LIST_TOO_LARGE';

const FENCED: ReadonlySet<string> = new Set([
  'KAFKA_FENCED',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'TRANSACTIONAL_ID_NOT_FOUND',
  'INVALID_TXN_STATE',
]);

/** Another producer of the same transactional id was opened since. */
export function isFenced(error: unknown): boolean {
  return FENCED.has(codeOf(error));
}

const FINAL: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
]);

/** The credentials are refused: no other broker says anything else. */
const isUnauthenticated = (error: unknown) => typeOf(error) === 'SASL_AUTHENTICATION_FAILED';

/** No waiting changes it: credentials, rights, versions, settings. */
export const isFinal = (error: unknown): boolean => isUnauthenticated(error) || FINAL.has(codeOf(error));

/** No other broker will say anything else. */
export const isRefusal = (error: unknown): boolean =>
  isUnauthenticated(error) || (isProtocolError(error) && !error.retriable);

/** Errors of kafkajs that mean that no broker, or not the right one, answers. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSMetadataNotLoaded',
]);

/** The code under which an operator is told of an error: this project's, or the broker's own; an outage has one code, not ten. */
export function problemOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: unknown };
  // kafkajs wraps what it gives up on, once or twice; the outage is inside.
  if (name === 'KafkaJSNumberOfRetriesExceeded') return cause ? problemOf(cause) : 'KAFKA_UNREACHABLE';
  if (name === 'KafkaJSNonRetriableError' && cause instanceof Error) return problemOf(cause);
  return UNREACHABLE.has(String(name)) || isUnconnected(error) ? 'KAFKA_UNREACHABLE' : codeOf(error);
}

/** kafkajs says so by nothing but its text, of a broker that went away between two requests. */
const isUnconnected = (error: unknown): boolean =>
  error instanceof Error && error.name === 'Error' && error.message === 'Broker not connected';

/** Whether no broker answers, or one says itself that it will in a moment. */
export function isUnreachable(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  if (problemOf(error) === 'KAFKA_UNREACHABLE' || isRetriable(error)) return true;
  return cause instanceof Error && isUnreachable(cause);
}

/** The coded error if the brokers at these addresses could not be reached at all, or what kept a client from it; undefined if it is about something else. */
export function unreachable(
  error: unknown,
  { brokers }: { readonly brokers: readonly string[] },
): PipelineError | undefined {
  const { cause } = error as { cause?: unknown };
  // What kafkajs was called back for, and gave up on in its own words.
  if (cause instanceof PipelineError && nameOf(error) === 'KafkaJSNumberOfRetriesExceeded') return cause;
  if (error instanceof PipelineError || problemOf(error) !== 'KAFKA_UNREACHABLE') return undefined;
  return noBrokerAnswers(brokers, error);
}

export const noBrokerAnswers = (brokers: readonly string[], cause?: unknown): PipelineError =>
  new PipelineError('KAFKA_UNREACHABLE', 'retry', `no broker answers at ${brokers.join(', ')}`, { cause });

/** The same error under its one code, for those who wait for a broker by that code (see whenThere). */
export async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof PipelineError || !isUnreachable(cause)) throw cause;
    throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no broker answers', { cause });
  }
}

/** Why records were not written to this topic, or its leaders not found. */
export function publishError(cause: unknown, topic: string): PipelineError {
  if (isTooLarge(cause))
    return new PipelineError('KAFKA_RECORD_TOO_LARGE', 'reject', 'more than the topic takes', { cause });
  if (isTopicUnknown(cause))
    return new PipelineError('KAFKA_TOPIC_MISSING', 'retry', `${topic} does not exist`, { cause });
  return new PipelineError('KAFKA_UNREACHABLE', 'retry', 'the broker does not acknowledge', { cause });
}

/** Errors that trying again cannot mend. */
export const isFatal = (error: unknown): boolean =>
  error instanceof PipelineError && error.disposition === 'fatal';

/**
 * A broker refuses the records that were sent, and would in any state. Of a transaction's errors only these blame the records: others
 * come with outages.
 */
export const isOfOutputs = (error: unknown): boolean =>
  isTooLarge(error) || typeOf(error) === 'INVALID_RECORD';

/**
 * Whether the work on records failed because of what they are, or of how it is programmed, rather than because something else is
 * away. An error with a code is an answer (of the registry, the disk, the network, the store) and may pass; those of the language, of
 * Node's argument checks (ERR_…), and those that say nothing of themselves will be the same next time.
 */
export function isOfRecords(error: unknown): boolean {
  if (error instanceof PipelineError) return error.disposition === 'deadletter';
  if (error instanceof CodecError || typeof error !== 'object' || error === null) return true;
  if (isOfOutputs(error)) return true;
  // Its code says what it is of; what is inside it, which may be a library's bare error, says less.
  if (error instanceof CodedError || isUnconnected(error)) return false;
  const { code, type, cause } = error as { code?: unknown; type?: unknown; cause?: unknown };
  // fetch gives a TypeError around what the network said.
  if (cause !== undefined && cause !== null) return isOfRecords(cause);
  if (typeof code === 'string') return code.startsWith('ERR_');
  return code === undefined && type === undefined;
}
