import { type Api, apiOf, type Exchange } from '../kafkajs/kafkajs.ts';
import type { offsetFetch } from './requests.ts';

type Query = { readonly groupId: string; readonly topics: readonly TopicQuery[] };
type TopicQuery = { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] };
type Answer = typeof offsetFetch extends { readonly api: Api<infer _, infer A> } ? A : never;

const VERSION = 7;

/**
 * OffsetFetch version 7, which kafkajs 2.2.4 lacks: with it the coordinator says UNSTABLE_OFFSET_COMMIT of a partition over whose
 * position a transaction has not ended yet, instead of telling the position before it. Laid out as Kafka's protocol guide has it;
 * brokers have it since 2.5.
 */
export const stableOffsetFetch: { key: number; api: Api<Query, Answer> } = {
  key: apiOf('OffsetFetch').key,
  api: {
    versions: [String(VERSION)],
    protocol: () => (query) => {
      const request = {
        apiKey: stableOffsetFetch.key,
        apiVersion: VERSION,
        apiName: 'OffsetFetch',
        encode: async () => encoded(encode(query)),
      };
      const response = {
        decode: async (raw: Buffer) => decode(raw),
        parse: async (answer: Answer) => answer,
      };
      return { request, response } satisfies Exchange<Answer>;
    },
  },
};

/** As kafkajs's framing takes it. */
const encoded = (buffer: Buffer) => ({ buf: buffer, buffer, size: () => buffer.length });

function encode({ groupId, topics }: Query): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number) => void parts.push(uvarint(value));
  const string = (value: string) => {
    const bytes = Buffer.from(value);
    number(bytes.length + 1);
    parts.push(bytes);
  };
  const noTags = () => number(0);
  // The header of this version ends with tagged fields, too.
  noTags();
  string(groupId);
  number(topics.length + 1);
  for (const { topic, partitions } of topics) {
    string(topic);
    number(partitions.length + 1);
    for (const { partition } of partitions) {
      const index = Buffer.alloc(4);
      index.writeInt32BE(partition);
      parts.push(index);
    }
    noTags();
  }
  const stable = Buffer.from([1]);
  parts.push(stable);
  noTags();
  return Buffer.concat(parts);
}

export function decode(raw: Buffer): Answer {
  let at = 0;
  const take = (bytes: number) => {
    at += bytes;
    return at - bytes;
  };
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = raw.readUInt8(take(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
      if (shift > 28) throw new RangeError('a number of more than 32 bits');
    }
  };
  const string = () => {
    const length = number();
    if (length === 0) return null;
    const from = take(length - 1);
    if (at > raw.length) throw new RangeError('a string beyond the end');
    return raw.toString('utf8', from, at);
  };
  const tags = () => {
    for (let count = number(); count > 0; count--) {
      number();
      take(number());
    }
  };
  const array = <T>(read: () => T): T[] => {
    const found: T[] = [];
    for (let count = number() - 1; count > 0; count--) found.push(read());
    return found;
  };
  tags();
  // The time for which the broker asks to be left alone.
  take(4);
  const responses = array(() => {
    const topic = string() ?? '';
    const partitions = array(() => {
      const partition = raw.readInt32BE(take(4));
      const offset = String(raw.readBigInt64BE(take(8)));
      // The leader epoch of the record.
      take(4);
      const metadata = string();
      const errorCode = raw.readInt16BE(take(2));
      tags();
      return { partition, offset, metadata, errorCode };
    });
    tags();
    return { topic, partitions };
  });
  return { responses, errorCode: raw.readInt16BE(take(2)) };
}

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
