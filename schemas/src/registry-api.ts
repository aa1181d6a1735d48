import { SchemaError } from './errors.ts';

export interface RegistrySettings {
  /** Base URL of the Confluent-compatible API, e.g. http://127.0.0.1:8081 or …/apis/ccompat/v7. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Milliseconds that one request may take; 5000 if absent. */
  readonly timeoutMs?: number | undefined;
}

/** An answer of the registry itself, as opposed to one of a proxy in front of it. */
export interface RegistryAnswer {
  readonly status: number;
  readonly body: unknown;
}

export const DEFAULT_TIMEOUT_MS = 5_000;

/** The registry's own error codes; the first three digits are the HTTP status. */
export const registryErrors = {
  subjectNotFound: 40401,
  schemaNotFound: 40403,
  /** Confluent's answer for a subject for which no level is set. */
  compatibilityNotConfigured: 40408,
} as const;

const missing: readonly number[] = Object.values(registryErrors);

export const baseUrl = (settings: RegistrySettings) => settings.url.replace(/\/+$/, '');

/**
 * One request to the registry, one attempt. Resolves for 2xx, for 404 with the registry's error code, for 409 and 422
 * (the registry refuses a schema). Everything else is a SchemaError: REGISTRY_UNAUTHORIZED or REGISTRY_UNREACHABLE.
 * A 404 without the registry's code comes from a proxy or a wrong URL and says nothing about schemas.
 */
export async function askRegistry(
  settings: RegistrySettings,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<RegistryAnswer> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(baseUrl(settings) + path, {
      method,
      headers: headersOf(settings),
      signal: AbortSignal.timeout(settings.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw new SchemaError('REGISTRY_UNREACHABLE', 'the schema registry does not answer', { cause });
  }
  if (status === 401 || status === 403) throw unauthorized(status);
  const answer: RegistryAnswer = { status, body: parsed(text) };
  const known =
    status < 300 ||
    status === 409 ||
    status === 422 ||
    (status === 404 && missing.includes(errorCodeOf(answer)));
  if (!known || answer.body === undefined) {
    throw new SchemaError('REGISTRY_UNREACHABLE', `no answer of a schema registry: status ${status}`);
  }
  return answer;
}

/** The registry's error code, 0 if the answer has none. */
export function errorCodeOf(answer: RegistryAnswer): number {
  const code = (answer.body as { error_code?: unknown } | null | undefined)?.error_code;
  return typeof code === 'number' ? code : 0;
}

export function unauthorized(status: number): SchemaError {
  return new SchemaError('REGISTRY_UNAUTHORIZED', `the schema registry refuses access: status ${status}`);
}

function headersOf({ username, password }: RegistrySettings): { [name: string]: string } {
  const type = 'application/vnd.schemaregistry.v1+json';
  const headers = { accept: `${type}, application/json`, 'content-type': type };
  if (!username) return headers;
  return {
    ...headers,
    authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
