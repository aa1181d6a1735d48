import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { PipelineError } from '../errors.ts';
import { isFatal, isFenced, isOfRecords, isUnreachable, problemOf } from './errors.ts';
import { newBroker } from './kafkajs/kafkajs.ts';

const {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
} = kafkajs;

const refused = new KafkaJSConnectionError('connect ECONNREFUSED');
const exceeded = (cause: Error) => new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 5, retryTime: 1 });
// As its retries leave it: the type declarations know nothing of the cause.
const givenUp = (error: Error) =>
  Object.assign(new KafkaJSNonRetriableError(error.message), { cause: error });

test.for([
  ['a connection that is refused', refused],
  ['… after all attempts', exceeded(refused)],
  ['… after which it is not tried again', givenUp(exceeded(refused))],
  ['… given up at once', givenUp(refused)],
] as const)('%s is an outage, under its one code', ([, error]) => {
  expect(problemOf(error)).toBe('KAFKA_UNREACHABLE');
  expect(isUnreachable(error)).toBe(true);
});

test('a broker that kafkajs has lost is an outage, and no fault of records', () => {
  const logger = { namespace: () => logger, debug() {}, info() {}, warn() {}, error() {} };
  const broker = newBroker(
    { host: '127.0.0.1', port: 1, clientId: 'c', connectionTimeout: 1, requestTimeout: 1 },
    logger as never,
  );
  let said: unknown;
  try {
    broker.lookupRequest(0, { versions: [], protocol: () => () => ({}) } as never);
  } catch (error) {
    said = error;
  }
  expect(problemOf(said)).toBe('KAFKA_UNREACHABLE');
  expect([isUnreachable(said), isOfRecords(said)]).toEqual([true, false]);
  expect([problemOf(new Error('another')), isOfRecords(new Error('another'))]).toEqual(['Error', true]);
});

test('what the broker refuses keeps its own code, and is no outage', () => {
  const denied = new KafkaJSProtocolError({
    ...{
      type: 'TOPIC_AUTHORIZATION_FAILED',
      code: 29,
      retriable: false,
      name: 'x',
      message: 'not authorized',
    },
  });
  for (const error of [denied, givenUp(denied), exceeded(denied)]) {
    expect(problemOf(error)).toBe('TOPIC_AUTHORIZATION_FAILED');
    expect(isUnreachable(error)).toBe(false);
  }
  expect(problemOf(new KafkaJSNonRetriableError('wrong argument'))).toBe('KafkaJSNonRetriableError');
});

test('what is fenced, and what is fatal, is told by code', () => {
  expect(isFenced(Object.assign(new Error(), { type: 'INVALID_PRODUCER_EPOCH', code: 47 }))).toBe(true);
  expect(isFenced(new PipelineError('KAFKA_FENCED', 'retry', ''))).toBe(true);
  expect(isFenced(new Error('INVALID_PRODUCER_EPOCH'))).toBe(false);
  expect(isFatal(new PipelineError('SERVICE_UNEXPECTED', 'fatal', ''))).toBe(true);
  expect(isFatal(new PipelineError('STATE_UNUSABLE', 'retry', ''))).toBe(false);
  expect(isFatal(new Error())).toBe(false);
});
