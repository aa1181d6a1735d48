import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { avroType } from './avro-types.ts';
import { Codec, createEncoder } from './codec.ts';
import { schemas } from './generated/schemas.gen.ts';
import type { EmailDelivered } from './generated/types.gen.ts';
import { checkSchemas, registerSchemas } from './register.ts';
import { delivered } from './sample-event.fixture.ts';
import { topics } from './topics.ts';

// How failures of a registry are told apart. What a real registry does is tested in registry.stack.test.ts.
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function registry(handler: Handler, timeoutMs = 300) {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  closers.push(close);
  const settings = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, timeoutMs };
  return { settings, close };
}

const answer =
  (status: number, body: unknown): Handler =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

const topic = topics.events('delivered');
const value = createEncoder<EmailDelivered>(7, avroType('delivered')).encode(delivered());

const silent: Handler = () => {};
const hangUp: Handler = (request) => request.socket.destroy();

describe.each<[string, Handler, string, string]>([
  ['an unknown subject', answer(404, { error_code: 40401 }), 'SCHEMA_NOT_REGISTERED', 'VALUE_UNREADABLE'],
  ['an unknown schema', answer(404, { error_code: 40403 }), 'SCHEMA_NOT_REGISTERED', 'VALUE_UNREADABLE'],
  [
    'a proxy that knows no such page',
    answer(404, 'not found'),
    'REGISTRY_UNREACHABLE',
    'REGISTRY_UNREACHABLE',
  ],
  [
    'a gateway without a route',
    answer(404, { message: 'no route' }),
    'REGISTRY_UNREACHABLE',
    'REGISTRY_UNREACHABLE',
  ],
  ['a wrong path', answer(404, { error_code: 404 }), 'REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE'],
  ['a page with status 200', answer(200, '<html>'), 'REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE'],
  ['wrong credentials', answer(401, { error_code: 401 }), 'REGISTRY_UNAUTHORIZED', 'REGISTRY_UNAUTHORIZED'],
  ['no permission', answer(403, { error_code: 40301 }), 'REGISTRY_UNAUTHORIZED', 'REGISTRY_UNAUTHORIZED'],
  [
    'an error of the registry',
    answer(500, { error_code: 50001 }),
    'REGISTRY_UNREACHABLE',
    'REGISTRY_UNREACHABLE',
  ],
  ['silence', silent, 'REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE'],
  ['a closed connection', hangUp, 'REGISTRY_UNREACHABLE', 'REGISTRY_UNREACHABLE'],
])('%s', (_, handler, encoding, decoding) => {
  // Only of silence nothing else comes, however slow the machine is.
  const patience = handler === silent ? 300 : 10_000;

  it(`is ${encoding} for an encoder`, async () => {
    const { settings } = await registry(handler, patience);
    await expect(new Codec(settings).encoder(topic, 'delivered')).rejects.toMatchObject({ code: encoding });
  });

  it(`is ${decoding} for a value`, async () => {
    const { settings } = await registry(handler, patience);
    const decoder = new Codec(settings).decoder('delivered');
    const read = async () => {
      await decoder.load([value]);
      return decoder.decode(value);
    };
    await expect(read()).rejects.toMatchObject({ code: decoding });
  });

  it('fails the registration with a code', async () => {
    const { settings } = await registry(handler, patience);
    if (encoding === 'SCHEMA_NOT_REGISTERED') {
      const { plan } = await checkSchemas(settings, { topics: [topic] });
      expect(plan).toMatchObject([{ action: 'created', levelChanged: true, versions: 0 }]);
    } else {
      await expect(registerSchemas(settings)).rejects.toMatchObject({ code: encoding });
      await expect(checkSchemas(settings)).rejects.toMatchObject({ code: encoding });
    }
  });
});

it('survives an outage with what it has cached', async () => {
  const { settings, close } = await registry((request, response) => {
    const isLookup = request.method === 'POST';
    answer(200, isLookup ? { id: 7 } : { schema: JSON.stringify(schemas.delivered) })(request, response);
  });
  const codec = new Codec(settings);
  const encoder = await codec.encoder<EmailDelivered>(topic, 'delivered');
  const decoder = codec.decoder<EmailDelivered>('delivered');
  await decoder.load([value]);
  await close();
  const bytes = encoder.encode(delivered(3));
  await decoder.load([bytes]);
  expect(decoder.decode(bytes)).toEqual(delivered(3));
  const newer = Buffer.from(bytes);
  newer.writeInt32BE(8, 1);
  await expect(decoder.load([newer])).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
});

it('asks with the credentials and retries what may pass', async () => {
  const seen: (string | undefined)[] = [];
  const { settings } = await registry((request, response) => {
    seen.push(request.headers.authorization);
    answer(seen.length < 3 ? 503 : 200, { id: 7 })(request, response);
  });
  const codec = new Codec({ ...settings, username: 'user', password: 'pässword' });
  expect((await codec.encoder(topic, 'delivered')).schemaId).toBe(7);
  expect(seen).toEqual(Array(3).fill(`Basic ${Buffer.from('user:pässword').toString('base64')}`));
});

it('takes a schema that is no Avro, or none that avsc can read, for a fault of the value', async () => {
  for (const body of [
    { schema: '{"type":"nonsense"}' },
    { schemaType: 'JSON', schema: '{"type":"object"}' },
  ]) {
    const { settings } = await registry(answer(200, body));
    const decoder = new Codec(settings).decoder('delivered');
    await decoder.load([value]);
    expect(() => decoder.decode(value)).toThrow(expect.objectContaining({ code: 'VALUE_UNREADABLE' }));
  }
});

describe('a value is no worse for the moment in which its schema is asked for', () => {
  const found = answer(200, { schema: JSON.stringify(schemas.delivered) });
  const broken: Handler = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' });
    response.write('{"schema":');
    setImmediate(() => response.destroy());
  };
  it.each<[string, Handler]>([
    ['a registry that is about to start', answer(404, 'not found')],
    ['a page instead of an answer', answer(200, '<html>')],
    ['half an answer', answer(200, '{"schema":')],
    ['a connection that breaks in the middle', broken],
    ['an answer without a schema', answer(200, {})],
  ])('%s', async (_, first) => {
    let asked = 0;
    const { settings } = await registry((request, response) => {
      asked += 1;
      (asked === 1 ? first : found)(request, response);
    });
    const decoder = new Codec({ ...settings, timeoutMs: 5_000 }).decoder<EmailDelivered>('delivered');
    // It may say that the registry is away, and is asked again then; never that the value cannot be read.
    await decoder.load([value]).catch((error) => {
      expect(error).toMatchObject({ code: 'REGISTRY_UNREACHABLE' });
      return decoder.load([value]);
    });
    expect(decoder.decode(value)).toEqual(delivered());
  });
});
