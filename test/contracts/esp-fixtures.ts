import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { EspAdapter, EspRequest, InspectedEvent, Inspection, Item, Verifier } from '@email-events/esps';
import { findAdapter, inspectRequest } from '@email-events/esps';
import { schemas } from '@email-events/schemas';

/** A request as an ESP sent it, with what must come of it. One JSON file each. */
export interface Fixture {
  description: string;
  /** The form that `inspect` reads. */
  request: {
    method: string;
    url: string;
    headers: { [name: string]: string };
    body: string;
    bodyEncoding?: 'utf8' | 'base64';
    receivedAt: string;
  };
  credentials: { secrets: string[]; options: { [name: string]: unknown } };
  expected: Inspection;
  /** Vendor keys in the items that normalize did not read and does not ignore on purpose. */
  unmapped: string[];
}

export interface LoadedFixture {
  readonly esp: string;
  readonly name: string;
  readonly path: string;
  readonly fixture: Fixture;
}

export const FIXTURES = fileURLToPath(new URL('../../ingress/esps/fixtures/', import.meta.url));

export function fixtureFolders(): string[] {
  return readdirSync(FIXTURES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

export function loadFixtures(esp: string): LoadedFixture[] {
  return readdirSync(`${FIXTURES}${esp}`)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const path = `${FIXTURES}${esp}/${file}`;
      const fixture = JSON.parse(readFileSync(path, 'utf8')) as Fixture;
      return { esp, name: file.slice(0, -'.json'.length), path, fixture };
    });
}

export function saveFixture(path: string, fixture: Fixture): void {
  writeFileSync(path, `${JSON.stringify(fixture, null, 2)}\n`);
}

export function requestOf({ request }: Fixture): EspRequest {
  const { method, url, headers, body, bodyEncoding, receivedAt } = request;
  return {
    method,
    url,
    headers,
    body: Buffer.from(body, bodyEncoding ?? 'utf8'),
    receivedAt: Date.parse(receivedAt),
  };
}

export function adapterOf(esp: string): EspAdapter {
  const adapter = findAdapter(esp);
  if (!adapter) throw new Error(`no adapter ${esp}`);
  return adapter;
}

export function verifierOf({ esp, fixture }: LoadedFixture): Verifier {
  return adapterOf(esp).verifier(fixture.credentials);
}

/** The outcome of a fixture with the code of today. */
export function actual(loaded: LoadedFixture): Pick<Fixture, 'expected' | 'unmapped'> {
  const adapter = adapterOf(loaded.esp);
  const request = requestOf(loaded.fixture);
  const expected = inspectRequest({
    adapter,
    verifier: verifierOf(loaded),
    request,
    options: loaded.fixture.credentials.options,
  });
  const events = expected.events.map(withoutDefaults);
  return { expected: { ...expected, events }, unmapped: unmappedKeys(adapter, request) };
}

/** Fixtures leave out what a field says when it says nothing: a new field with a default changes none of them. */
function withoutDefaults(event: InspectedEvent): InspectedEvent {
  const defaults = new Map(
    schemas[event.type].fields.flatMap((field) =>
      'default' in field ? [[field.name as string, field.default]] : [],
    ),
  );
  return Object.fromEntries(
    Object.entries(event).filter(
      ([name, value]) => !defaults.has(name) || !isDeepStrictEqual(value, defaults.get(name)),
    ),
  ) as InspectedEvent;
}

/** Keys of the request's items that normalize left unread. */
export function unmappedKeys(adapter: EspAdapter, request: EspRequest): string[] {
  const unread = new Set<string>();
  for (const item of itemsOf(adapter, request)) {
    const read = new Set<string>();
    const recording: Item = { index: item.index, value: record(item.value, '', read), text: item.text };
    try {
      // The payload of `other` is the whole item.
      if ([...adapter.normalize(recording, request)].every(({ type }) => type === 'other')) continue;
    } catch {
      continue;
    }
    for (const path of leaves(item.value, '')) {
      if (!read.has(path) && !isIgnored(path, adapter.facts.ignored)) unread.add(path);
    }
  }
  return [...unread].sort();
}

function itemsOf(adapter: EspAdapter, request: EspRequest): readonly Item[] {
  try {
    return adapter.split(request);
  } catch {
    return [];
  }
}

function record(value: unknown, path: string, read: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get(target, key, receiver) {
      const inner = Reflect.get(target, key, receiver);
      if (typeof key !== 'string' || !Object.hasOwn(target, key)) return inner;
      const innerPath = Array.isArray(target) ? `${path}[]` : join(path, key);
      read.add(innerPath);
      return record(inner, innerPath, read);
    },
  });
}

function leaves(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Array.isArray(value)
    ? value.flatMap((entry) => leaves(entry, `${path}[]`))
    : Object.entries(value).flatMap(([key, entry]) =>
        entry === undefined ? [] : leaves(entry, join(path, key)),
      );
  // Nothing in an empty list or object can be lost.
  return inner;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function isIgnored(path: string, ignored: readonly string[]): boolean {
  return ignored.some((pattern) =>
    pattern.endsWith('.*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern,
  );
}
