import { ClickHouseError } from '@clickhouse/client';

/**
 * What a failed insert means.
 * unavailable: nothing is wrong with the rows; try again. schema: the tables are not what this version needs; try again,
 * an operator has to run the migrations. rows: some row cannot be read by the server.
 */
export type FailureKind = 'unavailable' | 'schema' | 'rows';

/** Codes as in ClickHouse's src/Common/ErrorCodes.cpp. What is not listed is taken for an outage: nothing is given up for it. */
const SCHEMA_CODES = new Set([
  16, // NO_SUCH_COLUMN_IN_TABLE
  20, // NUMBER_OF_COLUMNS_DOESNT_MATCH
  47, // UNKNOWN_IDENTIFIER
  60, // UNKNOWN_TABLE
  81, // UNKNOWN_DATABASE
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
  return ROW_CODES.has(code) ? 'rows' : 'unavailable';
}

/** ClickHouse's own name of the error, else the code of the network error. */
export function detailOf(error: unknown): string {
  if (error instanceof ClickHouseError) return error.type ?? `CLICKHOUSE_${error.code}`;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'UNKNOWN';
}
