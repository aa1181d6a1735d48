import {
  adapters,
  type EspAdapter,
  type EspRequest,
  inspectRequest,
  NORMALIZE_CODES,
  normalizeRequest,
  REFUSAL_CODES,
  Refusal,
  toEmailEvent,
} from '@email-events/esps';
import { accounts, createSigner } from '@email-events/esps/accounts';
import { avroType } from '@email-events/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadFixtures, requestOf } from './esp-fixtures.ts';

const RUNS = { numRuns: 300 };
const names = adapters.map(({ name }) => name);
const withName = (name: string) => adapters.find((adapter) => adapter.name === name)!;

// Header names that verification looks at, so that most random requests get past "missing".
const HEADERS = new Set(['authorization', 'content-type']);
for (const { esp, contract } of accounts) {
  const { headers } = (await createSigner(esp)).sign({ body: contract.body, at: 0 });
  for (const name of Object.keys(headers)) HEADERS.add(name);
}
const headerValue = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.base64String(),
  fc.nat().map(String),
  fc.base64String().map((text) => `v1,${text}`),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('hex')),
  fc.base64String().map((text) => `Basic ${text}`),
  fc.constantFrom(
    'application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'multipart/form-data',
  ),
);
const headers = fc.dictionary(fc.constantFrom(...HEADERS), headerValue);
const anyValue = fc.oneof(
  fc.jsonValue({ depthSize: 'small' }),
  fc.constantFrom<unknown>(
    null,
    '',
    ' ',
    0,
    -1,
    1e300,
    '9'.repeat(400),
    '\ud800',
    [],
    {},
    [[]],
    'constructor',
    '__proto__',
    { toString: null },
    '2026-02-30T99:99:99Z',
  ),
);
const body = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.json().map((text) => Buffer.from(text)),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(`--x\r\n${text}\r\n--x--`)),
  fc
    .dictionary(
      fc.constantFrom('Type', 'TopicArn', 'Signature', 'Message', 'signature', 'event-data'),
      anyValue,
    )
    .map((value) => Buffer.from(JSON.stringify(value))),
);
const anyRequest: fc.Arbitrary<EspRequest> = fc.record({
  method: fc.constantFrom('POST', 'GET', 'HEAD'),
  url: fc.oneof(fc.webPath(), fc.string({ unit: 'binary' })),
  headers,
  body,
  receivedAt: fc.integer({ min: 0, max: 4e12 }),
});

describe.each(names)('%s', (esp) => {
  const adapter = withName(esp);

  it('answers any request with a verdict', async () => {
    const { settings, resources } = await createSigner(esp);
    const verifier = adapter.verifier(settings);
    fc.assert(
      fc.property(anyRequest, (request) => {
        const verdict = verifier.verify(request, resources);
        expect(verdict.outcome).toBe('refused');
        if (verdict.outcome === 'refused') expect(REFUSAL_CODES).toContain(verdict.code);
        expect(inspectRequest({ adapter, verifier, request }).events).toEqual([]);
      }),
      RUNS,
    );
  });

  it('reads any body or refuses it with a code', () => {
    fc.assert(
      fc.property(anyRequest, (request) => checkNormalize(adapter, request)),
      RUNS,
    );
  });

  it.each([
    ['lists', '['.repeat(200_000)],
    ['closed lists', `${'['.repeat(200_000)}${']'.repeat(200_000)}`],
    ['lists with a long integer', `${'['.repeat(200_000)}1234567890123456789${']'.repeat(200_000)}`],
    ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['an event', `[{"event":"x","timestamp":1793610930,"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}]`],
  ])('survives deeply nested %s', async (_what, text) => {
    const { settings } = await createSigner(esp);
    const request = { method: 'POST', url: '/', headers: {}, body: Buffer.from(text), receivedAt: 1 };
    expect(adapter.verifier(settings).verify(request).outcome).toBe('refused');
    try {
      for (const result of normalizeRequest(adapter, request).results) expect(result).toHaveProperty('code');
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
    }
  });

  // One field of a real item after the other is replaced by something else.
  it('reads real items with a strange field or refuses them, and what it reads fits the schemas', () => {
    const values = loadFixtures(esp).flatMap(({ fixture }) => {
      const opened = open(requestOf(fixture));
      return opened === null ? [] : pathsOf(opened.value).map((path) => ({ opened, path }));
    });
    fc.assert(
      fc.property(fc.constantFrom(...values), anyValue, ({ opened, path }, value) => {
        checkNormalize(adapter, opened.close(replaced(opened.value, path, value)));
      }),
      { numRuns: 3000 },
    );
  });
});

function checkNormalize(adapter: EspAdapter, request: EspRequest): void {
  let results: ReturnType<typeof normalizeRequest>['results'];
  try {
    ({ results } = normalizeRequest(adapter, request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.code).toBe('NORMALIZE_BODY_UNREADABLE');
    return;
  }
  for (const result of results) {
    if ('code' in result) {
      expect(NORMALIZE_CODES).toContain(result.code);
      expect(result.code, result.message).not.toBe('NORMALIZE_UNEXPECTED');
      continue;
    }
    for (const event of result.events) {
      const made = toEmailEvent(event, { ...ORIGIN, esp: adapter.name, item_index: result.index });
      expect(avroType(made.type).isValid(made), JSON.stringify(made)).toBe(true);
    }
  }
}
const ORIGIN = { source: 's', request_id: 'r', received_at: 1, raw_partition: 0, raw_offset: 0 };

/** The content of a request, and the way to make a request with other content. */
interface Opened {
  readonly value: unknown;
  close(changed: unknown): EspRequest;
}

/** Null: nothing in it can be taken apart. */
function open(request: EspRequest): Opened | null {
  const [path = '', query = ''] = request.url.split('?');
  const text = request.body.toString();
  if (request.method === 'GET') {
    return openForm(query, (form) => ({ ...request, url: `${path}?${form}` }));
  }
  if (request.headers['content-type']?.includes('urlencoded')) {
    return openForm(text, (form) => ({ ...request, body: Buffer.from(form) }));
  }
  return openJson(text, (json) => ({ ...request, body: Buffer.from(json) }));
}

function openForm(form: string, close: (form: string) => EspRequest): Opened | null {
  const value: { [name: string]: unknown } = Object.fromEntries(new URLSearchParams(form));
  const only = Object.keys(value).length === 1 ? Object.keys(value)[0] : undefined;
  // Mandrill carries JSON in its only field.
  if (only !== undefined) {
    return openJson(String(value[only]), (json) => close(new URLSearchParams({ [only]: json }).toString()));
  }
  return {
    value,
    close(changed) {
      const pairs = Object.entries(Object(changed)).map(([name, inner]): [string, string] => [
        name,
        typeof inner === 'string' ? inner : (JSON.stringify(inner) ?? ''),
      ]);
      return close(new URLSearchParams(pairs).toString());
    },
  };
}

function openJson(text: string, close: (json: string) => EspRequest): Opened | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return null;
    return {
      value: unwrap(parsed),
      close: (changed) => close(JSON.stringify(rewrap(parsed, changed)) ?? ''),
    };
  } catch {
    return null;
  }
}

/** SNS carries JSON in JSON: the fields are in there. */
function unwrap(parsed: unknown): unknown {
  const message = (parsed as { Message?: string } | null)?.Message;
  if (typeof message !== 'string' || !message.startsWith('{')) return parsed;
  return JSON.parse(message);
}

function rewrap(parsed: unknown, changed: unknown): unknown {
  const isEnvelope = unwrap(parsed) !== parsed;
  return isEnvelope ? { ...(parsed as object), Message: JSON.stringify(changed) } : changed;
}

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as { [key: string]: unknown };
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}
