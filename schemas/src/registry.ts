import { createRequire } from 'node:module';
import type { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { CodecError, SchemaError } from './errors.ts';
import {
  askRegistry,
  baseUrl,
  DEFAULT_TIMEOUT_MS,
  errorCodeOf,
  type RegistryAnswer,
  type RegistrySettings,
  registryErrors,
  unauthorized,
} from './registry-api.ts';

type Library = typeof import('@kafkajs/confluent-schema-registry');
type RegistryOptions = ConstructorParameters<typeof SchemaRegistry>[0];
type Middleware = NonNullable<RegistryOptions['middlewares']>[number];

/** Loaded for the first registry: it brings Protobuf and JSON schemas along, some 10 MB that the ingress has no use for. */
const library = () => createRequire(import.meta.url)('@kafkajs/confluent-schema-registry') as Library;

const RETRIES = 3;

/**
 * The client library with failures told apart. It reports a failed connection as status 400 and drops the registry's
 * error codes, so where its answer is ambiguous the same question is asked once more, plainly.
 */
export class Registry {
  private readonly settings: RegistrySettings;
  private readonly client: SchemaRegistry;
  private readonly deadlineMs: number;
  /** By id: a registry never gives an id to another schema. */
  private readonly schemas = new Map<number, Promise<unknown>>();

  constructor(settings: RegistrySettings) {
    this.settings = settings;
    const { username, password, timeoutMs = DEFAULT_TIMEOUT_MS } = settings;
    this.deadlineMs = 2 * timeoutMs;
    const { SchemaRegistry } = library();
    this.client = new SchemaRegistry({
      host: baseUrl(settings),
      ...(username ? { auth: { username, password: password ?? '' } } : {}),
      retry: {
        retries: RETRIES,
        initialRetryTimeInSecs: 0.05,
        maxRetryTimeInSecs: 0.5,
        // Every POST that is made here asks a question or may be repeated.
        enableRetry: () => true,
      },
      middlewares: [timeoutOf(timeoutMs)],
    });
  }

  /** Id of a schema in a subject. Throws SchemaError: SCHEMA_NOT_REGISTERED, REGISTRY_…. */
  async idOf(subject: string, schema: unknown): Promise<number> {
    try {
      return checkedId(await this.bounded(this.client.getRegistryIdBySchema(subject, schema as never)));
    } catch (cause) {
      const path = `/subjects/${encodeURIComponent(subject)}`;
      const answer = await this.askAgain(cause, 'POST', path, { schema: JSON.stringify(schema) });
      if (answer.status === 200) return checkedId((answer.body as { id: unknown }).id);
      if (isMissing(answer)) {
        const message = `${subject} does not hold this version of its schema: run \`schemas register\``;
        throw new SchemaError('SCHEMA_NOT_REGISTERED', message, { cause });
      }
      throw unexpected(answer, cause);
    }
  }

  /**
   * Schema with an id, as JSON. Throws SchemaError REGISTRY_… (retry), or CodecError VALUE_UNREADABLE
   * if the registry answers and has no Avro schema with this id. Whether avsc can read it, the caller finds out.
   *
   * Not by the library: it never ends the wait for an answer that breaks off, hands that wait to everyone who asks for the id from then
   * on, and does not tell a registry that is about to start from a schema that cannot be read.
   */
  schemaOf(id: number): Promise<unknown> {
    const known = this.schemas.get(id);
    if (known) return known;
    const asked = this.askSchema(id);
    this.schemas.set(id, asked);
    asked.catch(() => this.schemas.delete(id));
    return asked;
  }

  private async askSchema(id: number): Promise<unknown> {
    const answer = await askRegistry(this.settings, 'GET', `/schemas/ids/${id}`);
    if (isMissing(answer)) throw new CodecError('VALUE_UNREADABLE', `unknown schema id ${id}`);
    if (answer.status !== 200) throw unexpected(answer);
    return avroSchemaIn(answer.body, id);
  }

  /** Adds a version to a subject whose compatibility level, if it has one, is FULL_TRANSITIVE; a new subject gets it. */
  async register(subject: string, schema: unknown): Promise<number> {
    const compatibility = library().COMPATIBILITY.FULL_TRANSITIVE;
    try {
      const { id } = await this.bounded(this.client.register(schema as never, { subject, compatibility }));
      return checkedId(id);
    } catch (cause) {
      const status = statusOf(cause);
      if (status === 409 || status === 422) {
        throw new SchemaError('SCHEMA_INCOMPATIBLE', `the registry refuses the schema of ${subject}`, {
          cause,
        });
      }
      throw translated(cause);
    }
  }

  /** Where the library's failure has several readings, asks again; otherwise throws it, translated. */
  private async askAgain(
    cause: unknown,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ): Promise<RegistryAnswer> {
    const status = statusOf(cause);
    if (cause instanceof SchemaError || (status !== undefined && status !== 404)) throw translated(cause);
    return askRegistry(this.settings, method, path, body);
  }

  private async bounded<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      const late = () => reject(new SchemaError('REGISTRY_UNREACHABLE', 'the schema registry is too slow'));
      timer = setTimeout(late, this.deadlineMs);
    });
    try {
      return await Promise.race([work, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const timeoutOf =
  (timeout: number): Middleware =>
  () => ({ request: (request) => Promise.resolve(request.enhance({ timeout })) });

/** The library takes any page with status 200 for an answer. */
function checkedId(id: unknown): number {
  if (typeof id === 'number') return id;
  throw new SchemaError('REGISTRY_UNREACHABLE', 'no answer of a schema registry: it has no id');
}

/** The Avro schema in the registry's answer to the question for an id. */
function avroSchemaIn(body: unknown, id: number): unknown {
  const { schema, schemaType = 'AVRO' } = (body ?? {}) as { schema?: unknown; schemaType?: unknown };
  if (typeof schema !== 'string')
    throw new SchemaError('REGISTRY_UNREACHABLE', 'no answer of a schema registry: it has no schema');
  try {
    if (schemaType === 'AVRO') return JSON.parse(schema);
  } catch {}
  throw new CodecError('VALUE_UNREADABLE', `schema ${id} is not one that can be read`);
}

function isMissing(answer: RegistryAnswer): boolean {
  const code = errorCodeOf(answer);
  return code === registryErrors.subjectNotFound || code === registryErrors.schemaNotFound;
}

function translated(cause: unknown): SchemaError {
  if (cause instanceof SchemaError) return cause;
  const status = statusOf(cause);
  if (status === 401 || status === 403) return unauthorized(status);
  return new SchemaError('REGISTRY_UNREACHABLE', 'the schema registry does not answer as it should', {
    cause,
  });
}

function unexpected(answer: RegistryAnswer, cause?: unknown): SchemaError {
  const message = `unexpected answer of the schema registry: status ${answer.status}`;
  return new SchemaError('REGISTRY_UNREACHABLE', message, { cause });
}

/** HTTP status in an error of the client library, if it is one of its HTTP errors. */
function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | undefined)?.status;
  return typeof status === 'number' ? status : undefined;
}
