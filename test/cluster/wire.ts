import { createRequire } from 'node:module';
import { connect } from 'node:net';

// kafkajs's encoders and decoders alone, on a connection of our own for each question: a client asks whichever broker it
// likes and tries again by itself, and here it matters what one broker says now.
const require = createRequire(import.meta.url);

export interface Encoder {
  readonly buffer: Buffer;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeString(value: string): Encoder;
  writeArray(value: readonly unknown[]): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeUVarIntArray(value: readonly Encoder[]): Encoder;
  /** Without a value: no tagged fields. */
  writeUVarIntBytes(): Encoder;
}

export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readString(): string | null;
  readArray<T>(read: (decoder: Decoder) => T): T[];
  readUVarInt(): number;
  readUVarIntString(): string | null;
  readTaggedFields(): unknown;
}

export const EncoderClass = require('kafkajs/src/protocol/encoder.js') as new () => Encoder;
export const DecoderClass = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => Decoder;

/** One request in one version, and how its answer is read. */
export interface Exchange<A> {
  readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<Encoder> };
  /** `parse` throws if the answer is an error. */
  readonly response: { decode(bytes: Buffer): Promise<A>; parse?(answer: A): Promise<A> };
}

const { requests } = require('kafkajs/src/protocol/requests/index.js') as {
  requests: {
    readonly [name: string]: { protocol(of: { version: number }): (args: object) => Exchange<unknown> };
  };
};

/** A request that kafkajs knows. */
export function exchangeOf<A>(name: string, version: number, args: object): Exchange<A> {
  const found = requests[name];
  if (!found) throw new Error(`kafkajs has no request ${name}`);
  return found.protocol({ version })(args) as Exchange<A>;
}

/** By name, as kafkajs has them. */
export const apiKeys = require('kafkajs/src/protocol/requests/apiKeys.js') as {
  readonly [name: string]: number;
};

const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as {
  createErrorFromCode(code: number): Error;
};

/** @throws kafkajs's error for the code, unless it is 0 or one of these */
export function failUnless(code: number, ...fine: readonly number[]): void {
  if (code !== 0 && !fine.includes(code)) throw createErrorFromCode(code);
}

const frame = require('kafkajs/src/protocol/request.js') as (of: object) => Promise<{ buffer: Buffer }>;
const ATTEMPT_MS = 10_000;

/** One question to one broker, host:port. Rejects if it does not answer, or answers with an error. */
export async function ask<A>(address: string, { request, response }: Exchange<A>): Promise<A> {
  const { buffer } = await frame({ correlationId: 1, clientId: 'test-cluster', request });
  const answer = await response.decode(await roundTrip(address, buffer));
  return response.parse ? response.parse(answer) : answer;
}

/** The answer without its size and correlation id. */
function roundTrip(address: string, question: Buffer): Promise<Buffer> {
  const colon = address.lastIndexOf(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    let received = Buffer.alloc(0);
    socket.setTimeout(ATTEMPT_MS, () => socket.destroy(new Error(`${address} does not answer`)));
    socket.on('connect', () => socket.write(question));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(received.subarray(8, 4 + received.readInt32BE(0)));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${address} hung up`)));
  });
}
