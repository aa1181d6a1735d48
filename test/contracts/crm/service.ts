import { type ChildProcess, fork } from 'node:child_process';
import type { PipelineConfig } from '@email-events/cli/services';
import { createKafka, createLogger, readTopic, type SinkRecord } from '@email-events/core';
import { type Codec, type DeadLetter, type Suppression, topics } from '@email-events/schemas';

/** The CRM sink as a process, what it reads, and its dead letters. */
const MAIN = new URL('../../../sinks/crm/src/main.ts', import.meta.url).pathname;
const log = createLogger('crm-stack-test', 'silent');

export function startSink(
  file: string,
  scope: { onTestFinished(clean: () => Promise<void>): void },
): ChildProcess {
  const env = { PATH: process.env.PATH, EMAIL_EVENTS_LOG_LEVEL: 'error' };
  const child = fork(MAIN, ['--config', file], { env });
  scope.onTestFinished(async () => {
    child.kill('SIGKILL');
  });
  return child;
}

export async function produce(
  config: PipelineConfig,
  codec: Codec,
  records: readonly SinkRecord<Suppression>[],
): Promise<void> {
  const encoder = await codec.encoder<Suppression>(topics.suppressions, 'suppression');
  const producer = createKafka(config.kafka, 'test', log).producer();
  await producer.connect();
  const messages = records.map(({ key, value, timestamp }) => ({
    key,
    value: value && encoder.encode(value),
    timestamp: String(timestamp),
  }));
  await producer.send({ topic: topics.suppressions, messages });
  await producer.disconnect();
}

export async function produceBytes(config: PipelineConfig, key: string, value: Buffer): Promise<void> {
  const producer = createKafka(config.kafka, 'test', log).producer();
  await producer.connect();
  await producer.send({ topic: topics.suppressions, messages: [{ key, value }] });
  await producer.disconnect();
}

export function stateRecord(recipient: string): SinkRecord<Suppression> {
  const value = { recipient, suppressed: true, reasons: [], changed_at: 1, event_id: recipient, revision: 0 };
  return { topic: topics.suppressions, key: recipient, value, timestamp: Date.now(), attempts: 0 };
}

/** The end of a recipient’s states, as an erasure writes it. */
export const eraseRecord = (recipient: string): SinkRecord<Suppression> => ({
  ...{ topic: topics.suppressions, key: recipient, value: null, timestamp: Date.now(), attempts: 0 },
});

export async function deadLetterCodes(config: PipelineConfig, codec: Codec): Promise<string[]> {
  const decoder = codec.decoder<DeadLetter>('deadLetter');
  const codes: string[] = [];
  await readTopic(config.kafka, {
    topics: [topics.deadLetters],
    from: 'beginning',
    async onRecord({ value }) {
      if (!value) return;
      await decoder.load([value]);
      codes.push(decoder.decode(value).code);
    },
  });
  return codes;
}
