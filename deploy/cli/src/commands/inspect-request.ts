import { PipelineError } from '@email-events/core/errors';
import { type EspRequest, type FieldSettings, MAPPED_FIELDS, spellingProblems } from '@email-events/esps';

/** One request as `inspect` reads it, with what a line of --ndjson, or a fixture, may say about its verification. */
export interface InspectedRequest {
  readonly request: EspRequest;
  readonly esp: string | undefined;
  readonly secrets: readonly string[] | undefined;
  readonly options: { readonly [name: string]: unknown } | undefined;
  /** As in a source of the configuration. */
  readonly fields: FieldSettings | undefined;
}

/**
 * Reads the JSON form of a request, or a fixture of this repository: `{"request", "credentials"}`. Throws
 * INSPECT_REQUEST_INVALID. `now` is the clock for requests without receivedAt.
 */
export function parseRequest(text: string, now: () => number): InspectedRequest {
  const data = unwrapped(parseObject(text));
  requireRequest(data);
  const { method = 'POST', url = '/', body = '', esp, secrets, options, fields } = data;
  if (typeof method !== 'string') throw invalid('method', 'a text');
  if (typeof url !== 'string') throw invalid('url', 'a text');
  if (typeof body !== 'string') throw invalid('body', 'a text');
  if (esp !== undefined && typeof esp !== 'string') throw invalid('esp', 'a text');
  if (secrets !== undefined && !isTextList(secrets)) throw invalid('secrets', 'a list of texts');
  if (options !== undefined && !isObject(options)) throw invalid('options', 'an object');
  if (fields !== undefined && !isFieldSettings(fields)) throw invalid('fields', FIELDS);
  const request = {
    method: method.toUpperCase(),
    url,
    headers: readHeaders(data.headers),
    body: readBody(body, data.bodyEncoding),
    receivedAt: readTime(data.receivedAt, now),
  };
  return { request, esp, secrets, options, fields };
}

function parseObject(text: string): { [key: string]: unknown } {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw new PipelineError('INSPECT_REQUEST_INVALID', 'reject', 'the input is no JSON', { cause });
  }
  if (!isObject(data))
    throw new PipelineError('INSPECT_REQUEST_INVALID', 'reject', 'the input is no JSON object');
  return data;
}

/** A fixture as the request that is in it, with its credentials. */
function unwrapped(data: { [key: string]: unknown }): { [key: string]: unknown } {
  const { request, credentials, esp } = data;
  if (!isObject(request)) return data;
  return { esp, ...(isObject(credentials) ? credentials : {}), ...request };
}

/** An ESP's body is JSON too: taken for a request in our form it would be an empty one, so it is refused. */
function requireRequest({ method, url, body }: { [key: string]: unknown }): void {
  if (body !== undefined || (method !== undefined && url !== undefined)) return;
  const message = 'this is no request: it has neither a body nor a method and a URL';
  throw new PipelineError('INSPECT_REQUEST_INVALID', 'reject', message);
}

/** Lower-case names; a list and a name that comes in several spellings are joined as HTTP does. */
function readHeaders(headers: unknown): EspRequest['headers'] {
  // Without a prototype: a header may be named like one of Object's own members.
  const read: { [name: string]: string } = Object.create(null);
  if (headers === undefined || headers === null) return read;
  if (!isObject(headers)) throw invalid('headers', 'an object');
  for (const [name, value] of Object.entries(headers)) {
    if (value === null || value === undefined) continue;
    const values = Array.isArray(value) ? value : [value];
    if (!values.every((v) => typeof v === 'string' || typeof v === 'number')) {
      throw invalid(`headers.${name}`, 'a text or a list of texts');
    }
    const key = name.toLowerCase();
    const before = read[key];
    read[key] = (before === undefined ? values : [before, ...values]).join(', ');
  }
  return read;
}

function readBody(body: string, encoding: unknown): Buffer {
  if (encoding === undefined || encoding === null || encoding === 'utf8') return Buffer.from(body, 'utf8');
  if (encoding !== 'base64') throw invalid('bodyEncoding', '"utf8" or "base64"');
  // Node would drop what is not base64 without a word.
  if (!/^[A-Za-z0-9+/_\s-]*={0,2}\s*$/.test(body)) throw invalid('body', 'base64');
  return Buffer.from(body, 'base64');
}

function readTime(receivedAt: unknown, now: () => number): number {
  if (receivedAt === undefined || receivedAt === null) return now();
  const time = typeof receivedAt === 'string' ? Date.parse(receivedAt) : Number.NaN;
  if (Number.isNaN(time)) throw invalid('receivedAt', 'an ISO 8601 time');
  return time;
}

/**
 * `--option key=value` … as an adapter takes them: a key that comes again makes a list, and a value that is a JSON
 * list, object or text is read as such.
 */
export function parseOptions(pairs: readonly string[]): { [name: string]: unknown } {
  const options = new Map<string, unknown[]>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new PipelineError('CLI_USAGE', 'reject', '--option takes key=value');
    const key = pair.slice(0, at);
    options.set(key, [...(options.get(key) ?? []), optionValue(pair.slice(at + 1))]);
  }
  return Object.fromEntries(
    [...options].map(([key, values]) => [key, values.length === 1 ? values[0] : values.flat()]),
  );
}

/** `--field campaign=metadata.x` …; a field that comes again has several paths. Throws CLI_USAGE. */
export function parseFields(pairs: readonly string[]): FieldSettings | undefined {
  if (pairs.length === 0) return undefined;
  const fields = new Map<string, string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const [field, path] = [pair.slice(0, at), pair.slice(at + 1)];
    fields.set(field, [...(fields.get(field) ?? []), path]);
  }
  const settings: unknown = Object.fromEntries(fields);
  if (isFieldSettings(settings)) return settings;
  throw new PipelineError('CLI_USAGE', 'reject', `--field takes ${FIELDS}`);
}

const FIELDS = `${MAPPED_FIELDS.join(', ')}, each from metadata.<key>, tag.<name>, headers.<name> or esp`;

function isFieldSettings(value: unknown): value is FieldSettings {
  if (!isObject(value)) return false;
  const names: readonly string[] = MAPPED_FIELDS;
  return Object.keys(value).every((name) => names.includes(name)) && spellingProblems(value).length === 0;
}

function optionValue(text: string): unknown {
  if (!/^\s*[[{"]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const invalid = (field: string, wanted: string) =>
  new PipelineError('INSPECT_REQUEST_INVALID', 'reject', `${field} must be ${wanted}`);

const isObject = (value: unknown): value is { [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');
