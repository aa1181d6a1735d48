import type { KafkaMessage } from 'kafkajs';
import type { InputRecord } from '../dead-letter.ts';

/** kafkajs's message as a record of ours: offset as a number, one value a header. */
export function inputRecordOf(
  { topic, partition }: { topic: string; partition: number },
  { key, value, offset, timestamp, headers }: KafkaMessage,
): InputRecord {
  return {
    topic,
    partition,
    offset: Number(offset),
    key,
    value,
    headers: headersOf(headers),
    timestamp: Number(timestamp),
  };
}

const NO_HEADERS = {};

function headersOf(headers: KafkaMessage['headers']): { [name: string]: Buffer } {
  if (!headers) return NO_HEADERS;
  const result: { [name: string]: Buffer } = {};
  for (const name in headers) {
    const value = headers[name];
    const single = Array.isArray(value) ? value.at(-1) : value;
    if (single !== undefined) result[name] = typeof single === 'string' ? Buffer.from(single) : single;
  }
  return result;
}
