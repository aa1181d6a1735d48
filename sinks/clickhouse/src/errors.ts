import { ClickHouseError } from '@clickhouse/client';
import { type ErrorCode, PipelineError } from '@email-events/core';
import { InsertTimeout } from './insert.ts';

/**
 * Kinds of failed inserts.
 * unavailable, overloaded: nothing is wrong with the rows; try again. schema, refused: the tables are not what this version
 * needs, or the user may not write to them; try again, an operator has to see to it. rows: the server cannot read some row.
 */
export type FailureKind = 'unavailable' | 'overloaded' | 'refused' | 'schema' | 'rows';

/** Codes as in ClickHouse's src/Common/ErrorCodes.cpp. What is not listed is taken for an outage: nothing is given up for it. */
const SCHEMA_CODES = new Set([
  16, // NO_SUCH_COLUMN_IN_TABLE
  20, // NUMBER_OF_COLUMNS_DOESNT_MATCH
  47, // UNKNOWN_IDENTIFIER
  60, // UNKNOWN_TABLE
  81, // UNKNOWN_DATABASE
]);

const REFUSED_CODES = new Set([
  164, // READONLY
  192, // UNKNOWN_USER
  193, // WRONG_PASSWORD
  194, // REQUIRED_PASSWORD
  195, // IP_ADDRESS_NOT_ALLOWED
  291, // DATABASE_ACCESS_DENIED
  497, // ACCESS_DENIED
  516, // AUTHENTICATION_FAILED
]);

const OVERLOADED_CODES = new Set([
  201, // QUOTA_EXCEEDED
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  241, // MEMORY_LIMIT_EXCEEDED
  243, // NOT_ENOUGH_SPACE
  252, // TOO_MANY_PARTS
]);

const ROW_CODES = new Set([
  6, // CANNOT_PARSE_TEXT
  25, // CANNOT_PARSE_ESCAPE_SEQUENCE
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  33, // CANNOT_READ_ALL_DATA
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  53, // TYPE_MISMATCH
  72, // CANNOT_PARSE_NUMBER
  117, // INCORRECT_DATA
  131, // TOO_LARGE_STRING_SIZE
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  467, // CANNOT_PARSE_BOOL
  691, // UNKNOWN_ELEMENT_OF_ENUM
]);

export function failureKindOf(error: unknown): FailureKind {
  if (!(error instanceof ClickHouseError)) return 'unavailable';
  const code = Number(error.code);
  if (SCHEMA_CODES.has(code)) return 'schema';
  if (REFUSED_CODES.has(code)) return 'refused';
  if (OVERLOADED_CODES.has(code)) return 'overloaded';
  return ROW_CODES.has(code) ? 'rows' : 'unavailable';
}

const CODES = {
  unavailable: 'SINK_CLICKHOUSE_UNAVAILABLE',
  overloaded: 'SINK_CLICKHOUSE_OVERLOADED',
  refused: 'SINK_CLICKHOUSE_REFUSED',
  schema: 'SINK_CLICKHOUSE_SCHEMA',
  // Of a statement without rows, such as a check.
  rows: 'SINK_CLICKHOUSE_UNAVAILABLE',
} as const satisfies { readonly [K in FailureKind]: ErrorCode };

/** It may be less of a burden in smaller batches: the server is out of something, or was not done in time. */
export const isTooMuch = (error: unknown): boolean =>
  error instanceof InsertTimeout || failureKindOf(error) === 'overloaded';

/** The code under which an operator is told of it. */
export const sinkCodeOf = (error: unknown): ErrorCode => CODES[failureKindOf(error)];

/** The same as an error; the server's message stays out of it, since it may quote rows. */
export function sinkErrorOf(error: unknown): PipelineError {
  return new PipelineError(sinkCodeOf(error), 'retry', `ClickHouse says ${detailOf(error)}`);
}

/** ClickHouse's own name of the error, else the code of the network error; an insert that was late says so. */
export function detailOf(error: unknown): string {
  if (error instanceof ClickHouseError) return error.type ?? `CLICKHOUSE_${error.code}`;
  if (error instanceof InsertTimeout) return error.name;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'UNKNOWN';
}
