/**
 * The base of every error of this project, here because every other package may import this one. The code begins with the
 * stage that gives it, and stays; the message is for people and changes.
 */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Everything that can go wrong with schemas and encoded values. Decide by code, never by message:
 * messages are for people and change.
 *
 * | code | meaning | what to do |
 * | REGISTRY_UNREACHABLE | no answer, or not one that a working registry gives | retry later |
 * | REGISTRY_UNAUTHORIZED | the registry wants other credentials | fix the configuration |
 * | SCHEMA_NOT_REGISTERED | the subject lacks this code's version | run `schemas register` |
 * | SCHEMA_INCOMPATIBLE | a version breaks the evolution rules | change the schema |
 * | VALUE_UNREADABLE | bytes that no retry can read | dead-letter |
 * | VALUE_UNENCODABLE | a value that its schema cannot hold | dead-letter |
 */
export const schemaErrorCodes = [
  'REGISTRY_UNREACHABLE',
  'REGISTRY_UNAUTHORIZED',
  'SCHEMA_NOT_REGISTERED',
  'SCHEMA_INCOMPATIBLE',
  'VALUE_UNREADABLE',
  'VALUE_UNENCODABLE',
] as const;

export type SchemaErrorCode = (typeof schemaErrorCodes)[number];

export class SchemaError extends CodedError<SchemaErrorCode> {
  override readonly name: string = 'SchemaError';
}

/** One value is at fault, not the registry: dead-letter it, a retry cannot help. Its message holds no data of the value. */
export class CodecError extends SchemaError {
  override readonly name = 'CodecError';
  declare readonly code: 'VALUE_UNREADABLE' | 'VALUE_UNENCODABLE';

  constructor(code: CodecError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
