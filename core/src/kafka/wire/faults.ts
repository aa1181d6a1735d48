import { CodedError } from '@email-events/schemas/errors';
import { createErrorFromCode, type ProtocolError } from './kafkajs-parts.ts';

/** Throws the first error among these codes; 0 is none. What was not attempted because of another is told last. */
export function requireNone(codes: Iterable<number>): void {
  let notAttempted = false;
  for (const code of codes) {
    if (code === OPERATION_NOT_ATTEMPTED) notAttempted = true;
    else if (code !== 0) throw createErrorFromCode(code);
  }
  if (notAttempted) throw createErrorFromCode(OPERATION_NOT_ATTEMPTED);
}

const OPERATION_NOT_ATTEMPTED = 55;

/** A broker has understood the request and says no: nothing is wrong with the connection. */
export function isProtocolError(error: unknown): error is ProtocolError {
  return (error as { name?: unknown } | undefined)?.name === 'KafkaJSProtocolError';
}

/** The answer lacks what was asked for. Never a default: it may be anything. */
export class AnswerIncomplete extends CodedError<'KAFKA_ANSWER_INCOMPLETE'> {
  override readonly name = 'AnswerIncomplete';
  readonly retriable = true;

  constructor(what: string) {
    super('KAFKA_ANSWER_INCOMPLETE', `a broker's answer does not mention ${what}`);
  }
}

/** May work when it is tried again, perhaps at another broker. */
export const mayPass = (error: unknown): boolean => (error as { retriable?: unknown })?.retriable === true;

const COORDINATOR_MOVED: readonly string[] = ['GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'];

/** The broker is not, or no longer, the coordinator. */
export const isCoordinatorMoved = (error: unknown): boolean =>
  isProtocolError(error) && COORDINATOR_MOVED.includes(error.type);
