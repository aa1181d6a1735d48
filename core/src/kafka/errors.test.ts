import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Codec, CodecError, SchemaError, topics } from '@email-events/schemas';
import kafkajs from 'kafkajs';
import { expect, onTestFinished, test } from 'vitest';
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

test('a registry that is away is no fault of records, whatever its client or the network throws', async () => {
  const server = createServer((request) => request.socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const codec = new Codec({ url: `http://127.0.0.1:${port}`, timeoutMs: 500 });
  const failures = await Promise.all([
    codec
      .decoder('normalized')
      .load([Buffer.from([0, 0, 0, 0, 7, 1])])
      .catch((error: unknown) => error),
    codec.encoder(topics.deadLetters, 'deadLetter').catch((error: unknown) => error),
    new SchemaError('REGISTRY_UNREACHABLE', 'no answer', { cause: new Error('status 400') }),
  ]);
  for (const failure of failures) {
    expect(failure).toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    expect(isOfRecords(failure)).toBe(false);
  }
  expect(isOfRecords(new CodecError('VALUE_UNREADABLE', 'no Avro'))).toBe(true);
});
