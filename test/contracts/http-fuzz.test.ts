import { request as httpRequest } from 'node:http';
import { adapters, type EspRequest } from '@email-events/esps';
import { accountOf, createSigner, type Signer } from '@email-events/esps/accounts';
import { avroType } from '@email-events/schemas';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Harness, startHarness } from '../../ingress/src/testing/harness.ts';
import { normalizeRecord } from '../../processors/src/normalize/normalize-record.ts';

// Requests of every ESP, changed in one place, through the real HTTP server and on to what the processor makes of them.
// esp-fuzz.test.ts has the adapters alone.

const RUNS = { numRuns: 60 };
/** The answers that the ingress's README lists; every ESP's "later" is among them. */
const STATUSES = new Set([200, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 503]);

type Change =
  | { readonly kind: 'none' }
  | { readonly kind: 'flip' | 'cut'; readonly at: number }
  | { readonly kind: 'append'; readonly text: string }
  | { readonly kind: 'drop header'; readonly at: number }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'method'; readonly method: string }
  | { readonly kind: 'url'; readonly suffix: string };

const headerText = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,60}[\x21-\x7e])?$/);
const change: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: fc.constant({ kind: 'none' } as const), weight: 3 },
  fc.record({ kind: fc.constantFrom('flip' as const, 'cut' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('append' as const), text: fc.string({ unit: 'binary', minLength: 1 }) }),
  fc.record({ kind: fc.constant('drop header' as const), at: fc.nat() }),
  fc.record({
    kind: fc.constant('header' as const),
    name: fc.constantFrom(
      ...['content-type', 'content-encoding', 'authorization', 'x-forwarded-for', 'x-forwarded-proto'],
      ...['expect', 'cookie', 'signature', 'webhook-id', 'webhook-timestamp', 'x-request-id', 'te', 'range'],
    ),
    value: headerText,
  }),
  fc.record({
    kind: fc.constant('method' as const),
    method: fc.constantFrom('GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'),
  }),
  fc.record({
    kind: fc.constant('url' as const),
    suffix: fc.stringMatching(/^[/?&=%.;:@a-z0-9-]{1,30}$/),
  }),
);

/** Values that a field of an event may hold instead. */
const strange = fc.oneof(
  fc.jsonValue({ depthSize: 'small' }),
  fc.constantFrom<unknown>(null, '', 0, -1, 1e300, '9'.repeat(400), '\ud800', [], {}, '__proto__', '\0'),
);

describe.each(adapters.map(({ name }) => name))('%s', (esp) => {
  it('answers as documented, publishes nothing but what was sent and signed, and all of that can be read', async () => {
    const signer = await createSigner(esp);
    const ingress = await harness(signer);
    await fc.assert(
      fc.asyncProperty(bodyOf(esp), change, async (body, changed) => {
        const genuine = sign(signer, body);
        await check(ingress, genuine, apply(genuine, changed), changed);
      }),
      RUNS,
    );
  }, 60_000);
});

async function check(
  ingress: Harness,
  genuine: EspRequest,
  sent: EspRequest,
  changed: Change,
): Promise<void> {
  ingress.logs.length = 0;
  ingress.published.length = 0;
  const status = await post(ingress.port, sent);
  expect(STATUSES).toContain(status);
  expect(
    ingress.logs.filter(({ level, code }) => level === 'error' || code === 'INGRESS_UNEXPECTED'),
  ).toEqual([]);
  if (changed.kind === 'none') expect(status).toBe(200);
  if (status !== 200) expect(ingress.published).toEqual([]);
  if (isForged(ingress, genuine, sent)) expect(ingress.published).toEqual([]);
  for (const [offset, { value, headers }] of ingress.published.entries()) {
    expect(value.equals(sent.body)).toBe(true);
    const record = { topic: 'email.raw', partition: 0, offset, key: null, value, headers, timestamp: 0 };
    const { request, events, failures } = await normalizeRecord(record);
    expect(request).toBeDefined();
    expect(failures.map(({ code }) => code)).not.toContain('NORMALIZE_UNEXPECTED');
    for (const event of events) expect(avroType(event.type).isValid(event)).toBe(true);
  }
}

/** The body is not the one that was signed, and the ESP signs bodies. */
function isForged(ingress: Harness, genuine: EspRequest, sent: EspRequest): boolean {
  const [esp = ''] = ingress.context.sources.keys();
  const { contract } = accountOf(esp);
  return contract.tampered === 'SIGNATURE_WRONG' && !contract.rewritable && !genuine.body.equals(sent.body);
}

async function harness(signer: Signer): Promise<Harness> {
  const { secrets, options } = signer.settings;
  const certificates = Object.fromEntries(signer.resources);
  const source = {
    esp: signer.esp,
    secrets,
    options: { ...options, ...(signer.resources.size > 0 ? { certificates } : {}) },
  };
  const started = await startHarness({ sources: { [signer.esp]: source } });
  onTestFinished(() => started.close());
  return started;
}

const sign = (signer: Signer, body: string): EspRequest =>
  signer.sign({ body, at: Date.now(), url: `/webhooks/email-events/${signer.esp}` });

/** The ESP's body, with one field replaced. */
function bodyOf(esp: string): fc.Arbitrary<string> {
  const text = accountOf(esp).contract.body;
  if (!/^\s*[[{]/.test(text)) {
    return fc.constantFrom(text, `${text}&to=`, text.replace('status', 'state'), `${text}&%ff=1`);
  }
  const value: unknown = JSON.parse(text);
  const paths = pathsOf(value).filter((path) => path.length > 0);
  return fc.oneof(
    fc.constant(text),
    fc
      .tuple(fc.constantFrom(...paths), strange)
      .map(([path, other]) => JSON.stringify(replaced(value, path, other))),
  );
}

function apply(genuine: EspRequest, changed: Change): EspRequest {
  const { body, headers, url } = genuine;
  switch (changed.kind) {
    case 'none':
      return genuine;
    case 'flip': {
      const copy = Buffer.from(body);
      if (copy.length > 0) copy[changed.at % copy.length] = (copy[changed.at % copy.length] ?? 0) ^ 0x01;
      return { ...genuine, body: copy };
    }
    case 'cut':
      return { ...genuine, body: body.subarray(0, changed.at % (body.length + 1)) };
    case 'append':
      return { ...genuine, body: Buffer.concat([body, Buffer.from(changed.text)]) };
    case 'drop header': {
      const names = Object.keys(headers);
      const dropped = names[changed.at % Math.max(1, names.length)];
      return {
        ...genuine,
        headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== dropped)),
      };
    }
    case 'header':
      return { ...genuine, headers: { ...headers, [changed.name]: changed.value } };
    case 'method':
      return { ...genuine, method: changed.method };
    case 'url':
      return { ...genuine, url: `${url}${changed.suffix}` };
  }
}

/** Resolves with the last status; an expectation may be answered by 100 before. */
function post(port: number, { method, url, headers, body }: EspRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        ...{ port, host: '127.0.0.1', method, path: url, agent: false },
        headers: { ...headers, 'content-length': String(body.length) } as { [name: string]: string },
      },
      (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as { [key: string]: unknown };
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}
