import avro from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avroType, typeForSchema } from './avro-types.ts';
import { createDecoder, createEncoder } from './codec.ts';
import { CodecError, SchemaError } from './errors.ts';
import { schemas } from './generated/schemas.gen.ts';
import type { DeadLetter, EmailDelivered, NormalizedBatch, SeenBatch } from './generated/types.gen.ts';
import { delivered, normalized } from './sample-event.fixture.ts';
import type { SchemaKey } from './topics.ts';

const keys = Object.keys(schemas) as SchemaKey[];
const stock = (key: SchemaKey) => avro.Type.forSchema(schemas[key] as never);

/** Encoder and loaded decoder of one schema under id 7. */
async function pair<T>(key: SchemaKey) {
  const encoder = createEncoder<T>(7, avroType(key));
  const decoder = createDecoder<T>(avroType(key), async () => schemas[key]);
  await decoder.load([Buffer.from([0, 0, 0, 0, 7])]);
  return {
    encode: (value: unknown) => encoder.encode(value as T),
    decode: (bytes: Buffer) => decoder.decode(bytes),
  };
}

function failure(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
const codeOf = (work: () => unknown) => {
  const error = failure(work);
  expect(error).toBeInstanceOf(CodecError);
  return (error as CodecError).code;
};

describe('every schema', () => {
  it.each(keys)('%s: agrees with plain avsc byte by byte on random values', async (key) => {
    const { encode, decode } = await pair(key);
    const plain = stock(key);
    for (let i = 0; i < 30; i++) {
      const value = plain.random();
      const bytes = encode(value);
      expect(bytes.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, 7]));
      expect(bytes.subarray(5).equals(plain.toBuffer(value))).toBe(true);
      expect(decode(bytes)).toEqual(value);
    }
  });
});

describe('encode', () => {
  it('writes the defaults of missing fields and ignores further ones', async () => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    const { subject: _s, tags: _t, metadata: _m, smtp_response: _r, ...rest } = delivered();
    const read = decode(encode({ ...rest, variant: undefined, url: 'not a field of this type' }));
    const expected = {
      ...delivered(),
      subject: null,
      tags: [],
      metadata: {},
      smtp_response: null,
      variant: null,
    };
    expect(read).toEqual(expected);
    expect(read).not.toHaveProperty('url');
  });

  it('keeps any text', async () => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.string({ maxLength: 70 }),
        (text, ascii) => {
          const event = {
            ...delivered(),
            subject: text,
            campaign: ascii,
            tags: [text, ascii],
            metadata: { [ascii]: text },
          };
          expect(decode(encode(event))).toEqual(event);
        },
      ),
    );
  });

  it('keeps a metadata key named __proto__', async () => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    const metadata = JSON.parse('{"__proto__":"x","constructor":"y"}');
    const read = decode(encode({ ...delivered(), metadata }));
    expect(Object.entries(read.metadata)).toEqual(Object.entries(metadata));
  });

  it('grows for values beyond its buffer, and works on afterwards', async () => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    for (const length of [64 * 1024 - 400, 64 * 1024, 300_000, 5_000_000, 10]) {
      const event = { ...delivered(), subject: 'ä'.repeat(length / 2), tags: ['x'.repeat(length)] };
      expect(decode(encode(event))).toEqual(event);
    }
  });

  it('returns a new buffer each time', async () => {
    const { encode } = await pair<EmailDelivered>('delivered');
    const first = encode(delivered(1));
    const copy = Buffer.from(first);
    encode(delivered(2));
    expect(first.equals(copy)).toBe(true);
  });

  it.each([
    ['NaN', { occurred_at: Number.NaN }, 'occurred_at'],
    ['a fraction', { occurred_at: 1.5 }, 'occurred_at'],
    ['infinity', { raw_offset: Number.POSITIVE_INFINITY }, 'raw_offset'],
    ['2^60', { raw_offset: 2 ** 60 }, 'raw_offset'],
    ['a negative number whose sign would be lost', { raw_offset: -(2 ** 53) + 2 }, 'raw_offset'],
    ['a bigint', { raw_offset: 5n }, 'raw_offset'],
    ['an int beyond 32 bits', { raw_partition: 2 ** 31 }, 'raw_partition'],
    ['a missing field without default', { esp: undefined }, 'esp'],
    ['null where a value is due', { recipient: null }, 'recipient'],
    ['a number for a text', { recipient: 5 }, 'recipient'],
    ['a number for an optional text', { subject: 5 }, 'subject'],
    ['a wrong item', { tags: ['a', 7] }, 'tags.1'],
    ['a wrong value of a map', { metadata: { 'ann@example.com': 7 } }, 'metadata'],
  ])('refuses %s with a code and the place, without the data', async (_, wrong, place) => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    const error = failure(() => encode({ ...delivered(), ...wrong })) as CodecError;
    expect(error).toBeInstanceOf(SchemaError);
    expect(error.code).toBe('VALUE_UNENCODABLE');
    expect(error.message.endsWith(` at ${place}`)).toBe(true);
    expect(error.cause).toBeUndefined();
    expect(decode(encode(delivered()))).toEqual(delivered());
  });

  it('names the place in a batch', async () => {
    const { encode } = await pair<NormalizedBatch>('normalized');
    const events = [normalized(0), { ...normalized(1), smtp_code: 'x' }];
    expect((failure(() => encode({ events })) as Error).message).toContain('events.1.smtp_code');
  });
});

describe('decode', () => {
  it('reads the largest safe numbers', async () => {
    const { encode, decode } = await pair<SeenBatch>('seen');
    const value = { ids: Buffer.alloc(0), seen_at: 2 ** 53 - 2, received: -(2 ** 52), emitted: 2 ** 31 };
    const full = { ...value, duplicates: 0, dead_lettered: 0, erased: 0, barrier: null };
    expect(decode(encode(full))).toEqual(full);
  });

  it('copies bytes, so that a value holds no buffer of the client', async () => {
    const { encode, decode } = await pair<SeenBatch>('seen');
    const counters = { seen_at: 1, received: 1, emitted: 1, duplicates: 0, dead_lettered: 0, barrier: null };
    const bytes = encode({ ids: Buffer.alloc(32, 1), ...counters });
    const { ids } = decode(bytes);
    bytes.fill(0xff);
    expect(ids).toEqual(Buffer.alloc(32, 1));
    expect(ids.buffer.byteLength).toBeLessThanOrEqual(8192);
  });

  it('keeps the bytes of a dead letter', async () => {
    const { encode, decode } = await pair<DeadLetter>('deadLetter');
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const letter = { stage: 'normalize', code: 'X', message: 'm', attempts: 1, first_at: 1, last_at: 2 };
    const origin = {
      origin_topic: 't',
      origin_partition: 0,
      origin_offset: 9,
      value: all,
      headers: { h: all },
    };
    expect(decode(encode({ ...letter, ...origin }))).toMatchObject({
      value: all,
      headers: { h: all },
      key: null,
    });
  });

  it('refuses what is not in the wire format', async () => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    const wrongMagic = encode(delivered());
    wrongMagic[0] = 1;
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from([0, 0, 0, 0]),
      wrongMagic,
      Buffer.from('{"json":true}'),
    ]) {
      expect(codeOf(() => decode(bytes))).toBe('VALUE_UNREADABLE');
    }
  });

  it('refuses an id that was not loaded', async () => {
    const { encode, decode } = await pair<EmailDelivered>('delivered');
    const bytes = encode(delivered());
    bytes.writeInt32BE(8, 1);
    expect(codeOf(() => decode(bytes))).toBe('VALUE_UNREADABLE');
  });

  it('refuses a value cut anywhere, or with more bytes', async () => {
    const { encode, decode } = await pair<NormalizedBatch>('normalized');
    const bytes = encode({ events: [normalized(0), normalized(1)] });
    for (let end = 5; end < bytes.length; end++) {
      expect(codeOf(() => decode(bytes.subarray(0, end)))).toBe('VALUE_UNREADABLE');
    }
    expect(codeOf(() => decode(Buffer.concat([bytes, Buffer.from([0])])))).toBe('VALUE_UNREADABLE');
  });

  it('refuses a branch that a union does not have', async () => {
    const { encode, decode } = await pair<SeenBatch>('seen');
    const bytes = encode({
      ids: Buffer.alloc(0),
      seen_at: 1,
      received: 1,
      emitted: 1,
      duplicates: 0,
      dead_lettered: 0,
    });
    expect(decode(bytes).barrier).toBeNull();
    for (const branch of [1, 3, 4]) {
      bytes[bytes.length - 1] = branch;
      expect(codeOf(() => decode(Buffer.concat([bytes, Buffer.from([2, 65])])))).toBe('VALUE_UNREADABLE');
    }
  });

  it('neither hangs nor runs out of memory on lengths that are lies', async () => {
    const prefix = Buffer.from([0, 0, 0, 0, 7]);
    // An array of 2^40 items, one of as many in a block with a size, and a text of 2^40 bytes.
    const items = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    const block = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x02]);
    const batch = await pair('normalized');
    for (const lie of [items, block]) {
      expect(codeOf(() => batch.decode(Buffer.concat([prefix, lie, Buffer.alloc(100, 2)])))).toBe(
        'VALUE_UNREADABLE',
      );
    }
    const event = await pair('delivered');
    expect(codeOf(() => event.decode(Buffer.concat([prefix, items])))).toBe('VALUE_UNREADABLE');
  });

  it('answers any bytes with a value or with its error', async () => {
    const pairs = await Promise.all([pair('delivered'), pair('normalized'), pair('deadLetter')]);
    const valid = pairs[1]!.encode({ events: [normalized(0), normalized(1)] });
    const flipped = fc.tuple(fc.nat(valid.length - 6), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(valid);
      bytes[5 + at] = byte;
      return bytes;
    });
    const random = fc
      .uint8Array({ maxLength: 300 })
      .map((tail) => Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), tail]));
    fc.assert(
      fc.property(fc.oneof(flipped, random), (bytes) => {
        for (const { decode } of pairs) {
          const error = failure(() => decode(bytes));
          if (error !== undefined) expect(error).toBeInstanceOf(CodecError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('evolution', () => {
  const base = { type: 'record', name: 'R', namespace: 'n', fields: [{ name: 'a', type: 'string' }] };
  const list = { type: 'array', items: 'string' };
  const extended = {
    ...base,
    fields: [
      { name: 'gone', type: ['null', list], default: null },
      { name: 'a', type: 'string' },
      { name: 'b', type: ['null', 'string'], default: null },
      { name: 'c', type: list, default: [] },
    ],
  };
  const other = { ...base, fields: [{ name: 'a', type: 'long' }] };
  const written = (schema: unknown, value: unknown) => createEncoder(7, typeForSchema(schema)).encode(value);
  const reader = (schema: unknown, writer: unknown) =>
    createDecoder(typeForSchema(schema), async () => writer);

  it('reads older values: new fields get their defaults', async () => {
    const bytes = written(base, { a: 'x' });
    const decoder = reader(extended, base);
    await decoder.load([bytes]);
    expect(decoder.decode(bytes)).toEqual({ gone: null, a: 'x', b: null, c: [] });
  });

  it('reads newer values: unknown fields are skipped', async () => {
    const bytes = written(extended, { gone: ['p', 'q'], a: 'x', b: 'y', c: ['z'] });
    const decoder = reader(base, extended);
    await decoder.load([bytes]);
    expect(decoder.decode(bytes)).toEqual({ a: 'x' });
    expect(codeOf(() => decoder.decode(bytes.subarray(0, -1)))).toBe('VALUE_UNREADABLE');
  });

  it('tells the schema of the writer, the same each time, of values that can be read', async () => {
    const other = { type: 'record', name: 'Other', fields: [] };
    const writers = new Map<number, unknown>([
      [7, schemas.delivered],
      [8, other],
    ]);
    const decoder = createDecoder<EmailDelivered>(avroType('delivered'), async (id) => writers.get(id));
    const framed = (id: number) => Buffer.from([0, 0, 0, 0, id]);
    expect(decoder.writerOf(framed(7))).toBeUndefined();
    await decoder.load([framed(7), framed(8)]);
    expect(decoder.writerOf(framed(7))).toBe(schemas.delivered);
    expect(decoder.writerOf(framed(7))).toBe(decoder.writerOf(Buffer.from([0, 0, 0, 0, 7, 1, 2])));
    for (const bytes of [framed(8), framed(9), Buffer.from([0, 0]), Buffer.from('unframed')])
      expect(decoder.writerOf(bytes)).toBeUndefined();
  });

  it('refuses values of an incompatible schema, one by one', async () => {
    const bytes = written(other, { a: 5 });
    const decoder = reader(base, other);
    await decoder.load([bytes]);
    expect(codeOf(() => decoder.decode(bytes))).toBe('VALUE_UNREADABLE');
  });
});

describe('load', () => {
  const good = createEncoder(7, avroType('delivered')).encode(delivered());
  const unknown = createEncoder(8, avroType('delivered')).encode(delivered());

  it('asks once for each id, and again for those that were not there', async () => {
    const asked: number[] = [];
    let known = [7];
    const decoder = createDecoder(avroType('delivered'), async (id) => {
      asked.push(id);
      if (known.includes(id)) return schemas.delivered;
      throw new CodecError('VALUE_UNREADABLE', 'unknown');
    });
    await decoder.load([good, unknown, good, unknown, Buffer.from('junk')]);
    expect(decoder.decode(good)).toEqual(delivered());
    expect(codeOf(() => decoder.decode(unknown))).toBe('VALUE_UNREADABLE');
    known = [7, 8];
    await decoder.load([good, unknown]);
    expect(decoder.decode(unknown)).toEqual(delivered());
    expect(asked).toEqual([7, 8, 8]);
  });

  it('fails while the registry is away, but not for schemas it has', async () => {
    let up = true;
    const decoder = createDecoder(avroType('delivered'), async () => {
      if (up) return schemas.delivered;
      throw new SchemaError('REGISTRY_UNREACHABLE', 'away');
    });
    await decoder.load([good]);
    up = false;
    await decoder.load([good]);
    expect(decoder.decode(good)).toEqual(delivered());
    await expect(decoder.load([good, unknown])).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
    up = true;
    await decoder.load([unknown]);
    expect(decoder.decode(unknown)).toEqual(delivered());
  });
});
